"""Which training artefacts come from, read without the big arrays that stand before and behind it."""

import mmap
import os
import re
from collections.abc import Iterable
from pathlib import Path

# As `write_documents` lays a document out: a line per key. No text of JSON holds a line break, so none looks like this.
_BLOCK = b'\n  "vsr": {'
_RUN_ID = re.compile(rb'\n    "run_id": "([0-9a-f]+)"')
_HEAD_BYTES = 4096  # of the block; the run id is one of its first fields


def run_ids(paths: Iterable[str | os.PathLike[str]]) -> set[str]:
    """Give the run ids of artefacts: more than one means that they come from different trainings.

    Files that cannot be read, hold the documented fields alone or are laid out in another way are passed over; loading
    them says what is wrong.

    Args:
        paths: artefact files.
    """
    return {run_id for path in paths if (run_id := _run_id(Path(path))) is not None}


def _run_id(path: Path) -> str | None:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            # From the end: the arrays of the documented fields, which stand before the block, are never touched.
            start = content.rfind(_BLOCK)
            found = None if start < 0 else _RUN_ID.search(content[start : start + _HEAD_BYTES])
    except (OSError, ValueError):  # ValueError: an empty file
        return None
    return None if found is None else found[1].decode()
