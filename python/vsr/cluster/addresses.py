"""Input from any address that fsspec knows, as a file of this machine."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vsr.errors import RecordError


@contextlib.contextmanager
def readable(address: str) -> Iterator[Path]:
    """Give the path of a local file with what lies at an address; what is local already is not copied.

    Args:
        address: a path, `-`, or an address such as `s3://bucket/queries.jsonl`.

    Raises:
        RecordError: Nothing can be read there.
    """
    if "://" not in address:
        yield Path(address)
        return
    import fsspec  # noqa: PLC0415 (half a second)

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / (address.rstrip("/").rpartition("/")[2] or "input")
        try:
            with fsspec.open(address, "rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except Exception as error:  # every kind of storage has errors of its own
            reason = (str(error).strip() or type(error).__name__).partition("\n")[0][:200]
            raise RecordError(f"{address}: cannot be read ({reason}); expected a file of queries or records") from error
        yield copy
