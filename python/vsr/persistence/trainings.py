"""Which training artefacts come from, read without the big arrays that stand before and behind it."""

import mmap
import os
import re
from collections.abc import Iterable
from pathlib import Path

# As `write_documents` lays a document out: a line per key. No text of JSON holds a line break, so none looks like this.
_BLOCK = b'\n  "vsr": {'
_RUN_ID = re.compile(rb'\n    "run_id": "([0-9a-f]+)"')
_SIDECAR = re.compile(
    rb'\n    "sidecar": \{\n      "file": "([^"\\]+)",\n      "size_bytes": \d+,\n      "sha256": "([0-9a-f]{64})"'
)
_HEAD_BYTES = 4096  # of the block; the run id and the sidecar are among its first fields


def run_ids(paths: Iterable[str | os.PathLike[str]]) -> set[str]:
    """Give the run ids of artefacts: more than one means that they come from different trainings.

    Files that cannot be read, hold the documented fields alone or are laid out in another way are passed over; loading
    them says what is wrong.

    Args:
        paths: artefact files.
    """
    return {run_id for path in paths if (run_id := _run_id(Path(path))) is not None}


def sidecar_of(path: str | os.PathLike[str]) -> tuple[str, str] | None:
    """Give the name and the SHA-256 of the sidecar that an artefact names; None where it names none.

    Args:
        path: an artefact file as `write_documents` lays it out.
    """
    found = _search(Path(path), _SIDECAR)
    return None if found is None else (found[1].decode(), found[2].decode())


def _run_id(path: Path) -> str | None:
    found = _search(path, _RUN_ID)
    return None if found is None else found[1].decode()


def _search(path: Path, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            # From the end: the arrays of the documented fields, which stand before the block, are never touched.
            start = content.rfind(_BLOCK)
            return None if start < 0 else pattern.search(content[start : start + _HEAD_BYTES])
    except (OSError, ValueError):  # ValueError: an empty file
        return None
