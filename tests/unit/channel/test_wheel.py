from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.releases.channel.package import PLACEHOLDER, File, Package
from tests.releases.channel.wheel import WheelError, convert
from tests.unit.channel import wheels

if TYPE_CHECKING:
    from pathlib import Path

COMPILED = "cp311-cp311-manylinux_2_28_x86_64"
POINTS = "[console_scripts]\ndemo = demo.cli:main\n[other]\nnot = a:command\n"


def content(package: Package, path: str) -> bytes:
    entry = package.files[path]
    assert isinstance(entry, File)
    return entry.data


def test_a_pure_wheel_becomes_noarch_with_its_commands(tmp_path: Path) -> None:
    package = convert(wheels.make(tmp_path, points=POINTS, metadata="Requires-Python: >=3.9\n"), {})
    assert package.noarch
    assert package.entry_points == ("demo = demo.cli:main",)
    assert "site-packages/demo/__init__.py" in package.files
    assert package.depends == ("python >=3.9",)


def test_a_compiled_wheel_is_for_the_channel_s_python_and_brings_its_commands(tmp_path: Path) -> None:
    package = convert(wheels.make(tmp_path, tag=COMPILED, points=POINTS), {})
    assert not package.noarch
    assert "python >=3.11,<3.12.0a0" in package.depends
    script = content(package, "bin/demo").decode()
    assert script.startswith(f"#!{PLACEHOLDER}/bin/python\n")
    # Programs that start processes import the file again.
    assert 'if __name__ == "__main__":\n    sys.exit(main())' in script
    compile(script, "demo", "exec")


def test_the_data_of_a_wheel_goes_below_the_prefix(tmp_path: Path) -> None:
    files = {
        "demo-1.2.data/data/share/jupyter/kernels/demo/kernel.json": "{}",
        "demo-1.2.data/scripts/run": "#!python\nprint()\n",
        "demo-1.2.data/scripts/shell": "#!/bin/sh\n",
    }
    package = convert(wheels.make(tmp_path, files=files), {})
    assert "share/jupyter/kernels/demo/kernel.json" in package.files
    assert content(package, "python-scripts/run").startswith(f"#!{PLACEHOLDER}/bin/python\n".encode())
    assert content(package, "python-scripts/shell") == b"#!/bin/sh\n"


def test_pip_finds_an_installed_package(tmp_path: Path) -> None:
    package = convert(wheels.make(tmp_path), {})
    assert content(package, "site-packages/demo-1.2.dist-info/INSTALLER") == b"conda\n"
    record = content(package, "site-packages/demo-1.2.dist-info/RECORD").decode().splitlines()
    assert "demo/__init__.py,," in record


def test_what_is_unknown_in_a_wheel_is_an_error(tmp_path: Path) -> None:
    wheel = wheels.make(tmp_path, files={"demo-1.2.data/strange/file": ""})
    with pytest.raises(WheelError, match="'strange'"):
        convert(wheel, {})


def test_a_vendored_package_does_not_pass_for_the_wheel_s_own(tmp_path: Path) -> None:
    wheel = wheels.make(tmp_path, files={"demo/_vendor/other-3.dist-info/METADATA": ""})
    assert convert(wheel, {}).version == "1.2"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("License-Expression: MIT\nLicense: something else\n", "MIT"),
        ("License: Apache 2.0\n", "Apache 2.0"),
        (f"License: {'text of the licence ' * 9}\nClassifier: License :: OSI Approved :: BSD\n", "BSD"),
        ("Classifier: License :: OSI Approved\nClassifier: License :: OSI Approved :: ISC\n", "ISC"),
        ("", ""),
    ],
)
def test_the_licence_is_a_name(tmp_path: Path, metadata: str, expected: str) -> None:
    assert convert(wheels.make(tmp_path, metadata=metadata), {}).license == expected
