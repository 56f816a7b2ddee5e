"""Add the specs and locks of the wanted releases to the settings of `berth release build`.

Runs on the controller: `pack.py SPECS_DIR`, settings on standard input, the same with `specs` (a tar archive,
in base64) on standard output. One document instead of many copied files: quick, and a check without any
change sees what a run would see.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import sys
import tarfile
from pathlib import Path


def main(specs: Path) -> None:
    """Read, pack, write; the same content gives the same text."""
    settings = json.load(sys.stdin)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in settings["published"]:
            for path in sorted((specs / name).glob("*")):
                entry = tarfile.TarInfo(f"{name}/{path.name}")
                entry.size = path.stat().st_size
                with path.open("rb") as file:
                    archive.addfile(entry, file)
    packed = gzip.compress(buffer.getvalue(), mtime=0)
    sys.stdout.write(json.dumps({**settings, "specs": base64.b64encode(packed).decode()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
