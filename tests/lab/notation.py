"""Random and wrong hostlists, durations and sizes, and what Slurm makes of thousands of them at once."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.lab.machines import Machine

# Readline shows what it reads: on a line as wide as the longest question, so that it is not shown in pieces.
DIALOGUE = "exec env COLUMNS=100000 scontrol 2>/dev/null"
PROMPT = "scontrol: "
# sbatch only says what it has understood (-v), and asks when the job could start: none is made.
SUBMISSIONS = 'while IFS= read -r option; do sbatch -v --test-only "$option" --wrap=: 2>&1; echo "$1"; done'
END = "== end of answer =="
SECONDS = 120
_MEBIBYTES = {"": 1, "M": 1, "G": 1024, "T": 1024**2, "P": 1024**3, "?": 1024**4}

STEMS = ("n", "gpu", "a-b", "x.y", "r_1", "n0", "c1-", "9", "A", "007", "r1n")
SUFFIXES = ("", "", "", "", "-ib", ".cluster", "a")
SPOILT = ("n[1-3]", "a[01-03,7]", "r[1-2]n[1-2]", "n[1-2]-ib", "a,b", "n1,n2", "x[1,2]y[3-4]z")


def scontrol(machine: Machine, questions: Sequence[str]) -> list[list[str]]:
    """The lines that scontrol prints for each question, all asked of one process; none where it refuses."""
    answers: list[list[str]] = []
    for line in _run(machine, "root", DIALOGUE, questions).removesuffix("\n").split("\n"):
        if line.startswith(PROMPT):
            answers.append([])
        else:
            answers[-1].append(line)
    assert len(answers) == len(questions) + 1, "scontrol has not answered each question"
    return answers[:-1]


@dataclass(frozen=True)
class Understood:
    """What sbatch has understood of one option; no value where it refuses it, or understands no limit."""

    value: int | None
    unlimited: bool = False

    @property
    def refused(self) -> bool:
        return self.value is None and not self.unlimited


def durations(machine: Machine, user: str, texts: Sequence[str]) -> list[Understood]:
    """Read durations with `sbatch --time`, in minutes."""
    return [_duration(answer) for answer in _submitted(machine, user, "--time", texts)]


def sizes(machine: Machine, user: str, texts: Sequence[str]) -> list[Understood]:
    """Read sizes of memory with `sbatch --mem`, in MiB."""
    return [_size(answer) for answer in _submitted(machine, user, "--mem", texts)]


def _run(machine: Machine, user: str, script: str, lines: Sequence[str]) -> str:
    assert not any("\n" in line or "\t" in line for line in lines)
    return subprocess.run(
        ["docker", "exec", "-i", "-u", user, machine.container, "bash", "-c", script, "bash", END],
        input="".join(f"{line}\n" for line in lines),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
    ).stdout


def _submitted(machine: Machine, user: str, option: str, texts: Sequence[str]) -> list[str]:
    """What sbatch says of each value, empty where it calls the option invalid."""
    printed = _run(machine, user, SUBMISSIONS, [f"{option}={text}" for text in texts])
    *answers, rest = printed.split(f"{END}\n")
    assert len(answers) == len(texts)
    assert not rest
    name = option.removeprefix("--")
    understood = re.compile(rf"^sbatch: {name} +: (.*)$", re.MULTILINE)
    found: list[str] = []
    for text, answer in zip(texts, answers, strict=True):
        match = understood.search(answer)
        refused = f"Invalid {option} specification" in answer
        assert refused != bool(match), f"{option}={text}: {answer}"
        found.append(match[1] if match else "")
    return found


def _duration(text: str) -> Understood:
    if text in {"", "UNLIMITED"}:
        return Understood(None, unlimited=bool(text))
    match = re.fullmatch(r"(?:(\d+)-)?(\d\d):(\d\d):00", text)
    assert match, text
    return Understood((int(match[1] or 0) * 24 + int(match[2])) * 60 + int(match[3]))


def _size(text: str) -> Understood:
    if not text:
        return Understood(None)
    match = re.fullmatch(r"(\d+)([MGTP?]?)", text)  # beyond P, Slurm has a question mark
    assert match, text
    return Understood(int(match[1]) * _MEBIBYTES[match[2]])


# Values to ask about.


def number(random: Random, largest: int = 10**18) -> str:
    """A number as names have it: small most of the time, with or without leading zeros."""
    kind = random.random()
    value = random.randint(0, 12) if kind < 0.5 else random.randint(0, 1200)
    if kind > 0.95:
        value = random.choice([largest - 1, largest // 2, largest // 10])
    return f"{value:0{random.choice([0, 0, 1, 2, 3, 5])}}"


def expression(random: Random) -> str:
    """A hostlist: up to three items of up to four parts, up to three of them in brackets."""
    return ",".join(_item(random) for _ in range(random.randint(1, 3)))


def _item(random: Random) -> str:
    brackets = random.randint(0, 3)
    parts = [_bracket(random) for _ in range(brackets)]
    for _ in range(random.randint(0 if brackets else 1, 2)):
        parts.insert(random.randint(0, len(parts)), random.choice(STEMS + SUFFIXES[4:]))
    return "".join(parts)


def _bracket(random: Random) -> str:
    ranges: list[str] = []
    for _ in range(random.randint(1, 3)):
        first = number(random)
        last = int(first) + random.choice([0, 1, 2, 5, 9])
        width = random.choice([len(first), 0])
        ranges.append(first if random.random() < 0.4 else f"{first}-{last:0{width}}")
    return f"[{','.join(ranges)}]"


def hosts(random: Random, largest: int = 10**18) -> list[str]:
    """Names with few stems and many numbers, some of them twice."""
    stems = [random.choice(STEMS) for _ in range(random.randint(1, 3))]
    names = [
        random.choice(stems)
        + (number(random, largest) if random.random() < 0.9 else "")
        + random.choice(SUFFIXES)
        for _ in range(random.randint(1, 14))
    ]
    return names + random.choices(names, k=random.randint(0, 2))


def spoilt(random: Random) -> str:
    """A text near the notation of hostlists: random characters, or a hostlist with some changed."""
    alphabet = "n019[]-,.a"
    if random.random() < 0.5:
        return "".join(random.choices(alphabet, k=random.randint(1, 12)))
    letters = list(random.choice(SPOILT))
    for _ in range(random.randint(1, 2)):
        place = random.randrange(len(letters))
        letters[place : place + random.randint(0, 1)] = random.choices(alphabet, k=random.randint(0, 1))
        letters = letters or ["a"]
    return "".join(letters)


def many(random: Random, make: Callable[[Random], str], amount: int) -> list[str]:
    """Different texts, the same ones for the same seed."""
    found: dict[str, None] = {}
    while len(found) < amount:
        found[make(random)] = None
    return list(found)


def duration(random: Random) -> str:
    """One of the six notations, with fields that may be larger than a clock's."""

    def field() -> str:
        value = random.choice([0, 1, random.randint(0, 99), random.randint(0, 9999), 59, 60, 1440])
        return f"{value:0{random.choice([0, 0, 2, 3])}}"

    form = random.choice(["{}", "{}:{}", "{}:{}:{}", "{}-{}", "{}-{}:{}", "{}-{}:{}:{}"])
    return form.format(*(field() for _ in range(form.count("{}"))))


def size(random: Random) -> str:
    """A whole number with or without a unit."""
    value = random.choice([0, 1, random.randint(0, 99), random.randint(0, 999999), 1023, 1024, 1025])
    return f"{value}{random.choice(['', *'KMGTkmgt'])}"


def near(alphabet: str) -> Callable[[Random], str]:
    """Texts of a few characters of an alphabet."""
    return lambda random: "".join(random.choices(alphabet, k=random.randint(1, 7)))
