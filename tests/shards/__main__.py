"""Run shards: `python -m tests.shards list|due|full|NAME...`.

Every shard says at the end which commit proved it, run now or not: nothing is skipped quietly.
`BERTH_RESUME=1` leaves out what is proved with just these files; `BERTH_KEEP_LAB=1` leaves the last lab.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

from tests.shards import plan
from tests.shards.plan import PlanError, Proof, Shard


class Labs:
    """The lab that is up, and which scenario converged it; at most one at a time, for two cores' sake."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kind = ""
        self._owner = ""
        self._converged = ""

    def run(self, shard: Shard) -> None:
        """Run a shard on a lab of its kind; raises CalledProcessError where a command fails."""
        if self._kind != shard.lab:
            self.remove()
            self._take(shard)
        if shard.onto and self._converged != shard.onto:
            self._molecule("converge", shard.onto)
        self._molecule("test", shard.scenario, "--destroy", "never")
        self._converged = shard.onto or shard.scenario
        for command in shard.then:
            self._command(*command)

    def remove(self) -> None:
        """Take the lab away, whatever state it is in."""
        if self._kind:
            self._molecule("destroy", self._owner, check=False)
        self._kind = self._converged = ""

    def _take(self, shard: Shard) -> None:
        self._kind, self._owner = shard.lab, shard.owner
        # What a run that was cut has left; where no engine answers there is none, and creating starts one.
        if _engine_answers():
            self._molecule("destroy", self._owner)

    def _molecule(self, verb: str, scenario: str, *options: str, check: bool = True) -> None:
        self._command("molecule", verb, "--scenario-name", scenario, *options, check=check)

    def _command(self, *command: str, check: bool = True) -> None:
        print(f"$ BERTH_LAB={self._kind} {' '.join(command)}", flush=True)
        environment = {**os.environ, "BERTH_LAB": self._kind}
        subprocess.run(command, cwd=plan.ROOT, env=environment, check=check)


def _engine_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def run(wanted: list[Shard]) -> bool:
    """Run shards one after the other, go on after a failure, and return whether all are green."""
    labs, failed = Labs(), []
    kept = bool(os.environ.get("BERTH_KEEP_LAB"))
    try:
        for shard in wanted:
            if not _green(shard, labs):
                failed.append(shard)
                if not kept:
                    labs.remove()
    finally:
        if not kept:
            labs.remove()
    return not failed


def _green(shard: Shard, labs: Labs) -> bool:
    print(f"== {shard.name}: {shard.proves}", flush=True)
    inputs, began = plan.digest(shard), time.monotonic()
    try:
        labs.run(shard)
    except subprocess.CalledProcessError as error:
        print(f"== {shard.name}: FAILED: {' '.join(error.cmd)}", flush=True)
        return False
    plan.keep(shard.name, Proof(plan.commit(), inputs))
    print(f"== {shard.name}: green in {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    return True


def report() -> None:
    """Say of every shard what proved it last."""
    known = plan.proofs()
    for shard in plan.shards().values():
        proof = known.get(shard.name)
        if proof is None:
            said = "never proved: python -m tests.shards full"
        elif proof.inputs == plan.digest(shard):
            said = f"proved at {proof.commit}, with the files of today"
        else:
            said = f"proved at {proof.commit}; its inputs have changed since"
        print(f"{shard.name:20} {said}", flush=True)


def main(words: list[str]) -> int:
    """Run what is asked for; what cannot be run is said in a sentence, and nothing is begun."""
    try:
        every = plan.shards()
        if words == ["list"]:
            report()
            return 0
        wanted = _wanted(words, every)
        if os.environ.get("BERTH_RESUME"):
            wanted = [shard for shard in wanted if plan.unproved(shard, plan.proofs())]
        _have_programs(wanted)
    except PlanError as error:
        print(error, file=sys.stderr)
        return 2
    green = run(wanted)
    report()
    return 0 if green else 1


def _wanted(words: list[str], every: dict[str, Shard]) -> list[Shard]:
    if words == ["due"]:
        return plan.due(every, plan.proofs(), plan.commits())
    if words == ["full"]:
        return list(every.values())
    if not words:
        raise PlanError(f"usage: python -m tests.shards list|due|full|{'|'.join(every)}")
    if strangers := [word for word in words if word not in every]:
        raise PlanError(f"there is no shard {', '.join(strangers)}; there are {', '.join(every)}")
    return [every[word] for word in words]


def _have_programs(wanted: list[Shard]) -> None:
    """Raise PlanError unless everything that the shards start is there."""
    started = {command[0]: "" for shard in wanted for command in (("molecule",), *shard.then)}
    if missing := [program for program in started if shutil.which(program) is None]:
        raise PlanError(f"{', '.join(missing)}: not on PATH; put .venv/bin there, as `make` does")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
