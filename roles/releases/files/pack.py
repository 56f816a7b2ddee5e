"""Add the specs and locks of the wanted releases to the settings of `berth release build`.

Runs on the controller: `pack.py SPECS_DIR`, settings on standard input, the same with `specs` (a zip archive,
in base64) on standard output. One document instead of many copied files: quick, and a check without any
change sees what a run would see.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import zipfile
from pathlib import Path


def main(specs: Path) -> None:
    """Read, pack, write; the same content gives the same text."""
    settings = json.load(sys.stdin)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in settings["published"]:
            for path in sorted((specs / name).glob("*")):
                # Without the time of the file, which would make another text of the same content.
                archive.writestr(
                    zipfile.ZipInfo(f"{name}/{path.name}"), path.read_bytes(), zipfile.ZIP_DEFLATED
                )
    sys.stdout.write(json.dumps({**settings, "specs": base64.b64encode(buffer.getvalue()).decode()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
