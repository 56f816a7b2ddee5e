"""More time for a session: the one verb that acts as root does so for a running session of that user only."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from berth.helper import protocol, slurm
from berth.helper.protocol import Extend
from tests.unit.helper.conftest import needs_root
from tests.unit.helper.requests import JOB_NAME, valid

if TYPE_CHECKING:
    from berth.helper.policy import User
    from berth.helper.settings import Settings
    from tests.unit.helper.conftest import Programs

REQUEST = Extend("alice", 12, JOB_NAME, 240)


class Slurm:
    """What squeue and scontrol do; what was run, as whom."""

    def __init__(self, user: User) -> None:
        self.listed = f"12 {user.uid} interactive RUNNING {JOB_NAME}\n"
        self.ends: dict[str, tuple[int | None, str]] = {"squeue": (0, ""), "scontrol": (0, "")}
        self.ran: list[tuple[int, list[str]]] = []

    def run(self, user: User, argv: list[str], *_: object) -> slurm._Result:
        self.ran.append((user.uid, argv))
        name = argv[0].rpartition("/")[2]
        status, stderr = self.ends[name]
        return slurm._Result(status, self.listed if name == "squeue" else "", stderr)

    @property
    def changed(self) -> bool:
        return any(argv[0].endswith("/scontrol") for _, argv in self.ran)


@pytest.fixture
def cluster(user: User, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    made = Slurm(user)
    monkeypatch.setattr(slurm, "_run", made.run)
    return made


def test_slurm_is_asked_as_the_user_and_told_as_root(cluster: Slurm, user: User, settings: Settings) -> None:
    assert slurm.extend(user, REQUEST, settings) == {"ok": True}
    directory = settings.slurm_bin_dir
    assert cluster.ran == [
        (user.uid, [f"{directory}/squeue", "--noheader", "--jobs=12", "--format=%i %U %P %T %j"]),
        (0, [f"{directory}/scontrol", "update", "JobId=12", "TimeLimit=240"]),
    ]


@pytest.mark.parametrize("most", [0, 239])
def test_the_policy_s_bound_holds_whatever_the_hub_asks(
    cluster: Slurm, user: User, settings: Settings, most: int
) -> None:
    settings = dataclasses.replace(settings, extend_up_to_minutes=most)
    answer = slurm.extend(user, REQUEST, settings)
    assert (answer["ok"], answer["error"]) == (False, "not-permitted")
    assert cluster.ran == []


@pytest.mark.parametrize(
    "listed",
    [
        "",
        "12 1 interactive RUNNING {name}",
        "12 {uid} batch RUNNING {name}",
        "12 {uid} interactive PENDING {name}",
        "12 {uid} interactive COMPLETING {name}",
        "12 {uid} interactive RUNNING berth-ffffffffffffffffffffffffffffffff",
        "12 {uid} interactive RUNNING {name} and more",
        "12 {uid} interactive RUNNING bash",
        "12_1 {uid} interactive RUNNING {name}",
        "13 {uid} interactive RUNNING {name}",
        "12 {uid} interactive RUNNING {name}\n13 {uid} interactive RUNNING {name}",
    ],
)
def test_any_other_job_is_left_alone(cluster: Slurm, user: User, settings: Settings, listed: str) -> None:
    cluster.listed = listed.format(uid=user.uid, name=JOB_NAME)
    answer = slurm.extend(user, REQUEST, settings)
    assert (answer["ok"], answer["error"]) == (False, "refused")
    assert not cluster.changed


@pytest.mark.parametrize(
    ("program", "end", "error"),
    [
        ("squeue", (1, "slurm_load_jobs error: Invalid job id specified\n"), "not-run"),
        ("squeue", (None, ""), "not-run"),
        ("scontrol", (1, "Access/permission denied for job 12\n"), "refused"),
        ("scontrol", (None, ""), "unknown"),
    ],
)
def test_what_goes_wrong_is_said(  # noqa: PLR0913, PLR0917 - fixtures and cases
    cluster: Slurm,
    user: User,
    settings: Settings,
    program: str,
    end: tuple[int | None, str],
    error: str,
) -> None:
    cluster.ends[program] = end
    answer = slurm.extend(user, REQUEST, settings)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert answer["message"]
    assert cluster.changed is (program == "scontrol")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("minutes", value) for value in (0, -1, 366 * 24 * 60 + 1, "60", 1.5, True, None, "UNLIMITED")),
        *(("job_id", value) for value in (0, "12", "12,13", 2**32, None)),
        *(("job_name", value) for value in ("bash", "berth-", f"{JOB_NAME}0", f"{JOB_NAME}\n", None, 12)),
    ],
)
def test_only_exact_requests_are_read(key: str, value: object) -> None:
    request = next(item for item in valid("alice") if item["verb"] == "extend")
    with pytest.raises(protocol.BadRequestError, match=key):
        protocol.parse(json.dumps({**request, key: value}).encode())


@needs_root
def test_scontrol_is_really_root_s_with_a_clean_environment(
    programs: Programs, user: User, settings: Settings
) -> None:
    programs.write("squeue", f"echo '12 {user.uid} interactive RUNNING {JOB_NAME}'\n")
    programs.write("scontrol", "exit 0\n")
    assert slurm.extend(user, REQUEST, settings) == {"ok": True}
    seen = programs.seen()
    assert seen.argv[1:] == ["update", "JobId=12", "TimeLimit=240"]
    assert (seen.uid, seen.gid, seen.groups, seen.directory, seen.stdin) == (0, 0, {0}, "/", "")
    assert {name for name in seen.environment if name not in {"PWD", "_", "SHLVL", "OLDPWD"}} == {
        *("HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG"),
    }
