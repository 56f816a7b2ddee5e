from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGINS = Path(__file__).resolve().parents[3] / "filter_plugins"


def _filters() -> dict[str, Callable[..., Any]]:
    spec = importlib.util.spec_from_file_location("berth_filter_plugins_slurm", PLUGINS / "slurm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Callable[..., Any]] = module.FilterModule().filters()
    return found


FILTERS = _filters()
NODE = {"name": "gpu1", "cpus": 4, "memory": "4000M"}


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("slurm_minutes", ["2-00:00:00"], 2880),
        ("slurm_duration", [2880], "2-00:00:00"),
        ("slurm_mebibytes", ["64G"], 65536),
        ("slurm_hostlist", [["gpu2", "gpu1"]], "gpu[1-2]"),
        ("slurm_hostnames", ["gpu[1-2]"], ["gpu1", "gpu2"]),
        ("slurm_nodes", [[NODE]], [{"NodeName": "gpu1", "CPUs": 4, "RealMemory": 4000, "State": "UNKNOWN"}]),
        ("slurm_conf_texts", [[{"item": "/a", "content": "QQ=="}, {"item": "/b"}]], {"/a": "A", "/b": None}),
        ("slurm_conf_unreadable", [{"/s.conf": "A=1"}, "/s.conf"], []),
        ("slurm_conf_includes", [{"/s.conf": "Include a.conf"}, ["/s.conf"]], ["/a.conf"]),
        ("slurm_gres", [[NODE]], []),
        (
            "slurm_partitions",
            [[{"name": "p", "nodes": "ALL"}], [NODE]],
            [{"PartitionName": "p", "Nodes": "ALL", "State": "UP"}],
        ),
        (
            "slurm_limits",
            [{"sessions_per_user": 2}, "||01:00:00|DenyOnLimit"],
            ["MaxJobsPerUser=2", "MaxWall=-1"],
        ),
        ("slurm_line", [{"Nodes": "ALL", "Default": True}], "Nodes=ALL Default=YES"),
    ],
)
def test_each_filter_is_the_function_of_berth_slurm(
    name: str, arguments: list[Any], expected: object
) -> None:
    assert FILTERS[name](*arguments) == expected
    assert FILTERS[name](*arguments) == expected, "a filter remembers nothing"


@pytest.mark.parametrize("value", [3600, 60.5, None, True])
def test_a_time_that_is_no_text_is_refused_with_the_advice_to_quote_it(value: object) -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"slurm_minutes: expected text, got .*; quote the value in YAML"
    ):
        FILTERS["slurm_minutes"](value)


def test_the_unquoted_time_of_a_yaml_file_is_the_one_that_is_refused() -> None:
    value = yaml.safe_load("max_time: 60:00")["max_time"]
    assert value == 3600, "this is what YAML makes of it, and what Slurm would read as 3600 minutes"
    with pytest.raises(AnsibleFilterError, match="quote the value in YAML"):
        FILTERS["slurm_partitions"]([{"name": "p", "nodes": "ALL", "max_time": value}], [NODE])


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_every_filter_has_a_sidecar_of_its_own_name(name: str) -> None:
    document = yaml.safe_load((PLUGINS / f"{name}.yml").read_text(encoding="utf-8"))
    assert document["DOCUMENTATION"]["name"] == name
    assert set(document) == {"DOCUMENTATION", "EXAMPLES", "RETURN"}


def test_no_sidecar_is_left_of_a_filter_that_is_gone() -> None:
    assert sorted(path.stem for path in PLUGINS.glob("*.yml")) == sorted(FILTERS)


def test_an_error_of_the_template_itself_is_not_hidden() -> None:
    class _Undefined(list[object]):
        def __iter__(self) -> Any:
            raise LookupError("'x' is undefined")

    with pytest.raises(LookupError):
        FILTERS["slurm_hostlist"](_Undefined())
