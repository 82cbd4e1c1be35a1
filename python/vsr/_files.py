"""Files that are either the old one or the new one: written beside the target, synced, renamed."""

import contextlib
import errno
import gzip
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from vsr.errors import OutputError

# What a full or failing disk answers to a write: the only errors inside the `with` body that are surely the file's own.
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
_OWN_MODE = 0o600
_TAIL_BYTES = 1 << 20


@contextlib.contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a binary stream whose content replaces `path` at the end of the block, whole or not at all.

    The content goes to a temporary file in the same folder, which is synced and renamed. After an exception, an
    interrupt or a full disk the temporary file is gone and the old file untouched. Missing folders are made.

    Args:
        path: the file to write; a name that ends in `.gz` is compressed (the same content gives the same bytes).

    Raises:
        OutputError: The folder cannot be written, `path` is a folder, or the disk is full.
    """
    with replaced_file(path) as temporary, temporary.open("wb", buffering=1 << 20) as raw:
        if Path(path).suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                yield cast("IO[bytes]", packed)
        else:
            yield raw


@contextlib.contextmanager
def replaced_file(path: str | os.PathLike[str], like: str | os.PathLike[str] | None = None) -> Iterator[Path]:
    """Give the name of an empty temporary file whose content replaces `path` at the end of the block.

    For writers that open files themselves; otherwise as `atomic_writer`, but never compressed.

    Args:
        path: the file to write.
        like: the file whose permissions it gets; those of the one that it replaces without it.

    Raises:
        OutputError: The folder cannot be written, `path` is a folder, or the disk is full.
    """
    target = Path(os.path.realpath(path))  # a link keeps pointing at the file that is replaced
    if target.is_dir():
        raise OutputError(f"{path}: is a folder; expected the name of a file to write")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    temporary = Path(name)
    try:
        os.close(descriptor)
        yield temporary
        with temporary.open("rb+") as written:
            os.fchmod(written.fileno(), _mode_of(target if like is None else Path(like)))
            sync(written.fileno())
        temporary.replace(target)
        sync_folder(target.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise _cannot_write(path, error) from error
        raise


def _cannot_write(path: str | os.PathLike[str], error: OSError) -> OutputError:
    return OutputError(
        f"{os.fspath(path)}: cannot be written ({error.strerror}); an older file of that name is untouched. "
        "Free some space there, or name a folder that this user may write to"
    )


def _mode_of(target: Path) -> int:
    """Permissions for the new file: those of the one that it replaces, else what the umask leaves of 0666."""
    try:
        return target.stat().st_mode & 0o7777
    except FileNotFoundError:
        return 0o666 & ~umask()


def umask() -> int:
    """Say what the process takes from the permissions of new files; the system tells only by setting another one."""
    taken = os.umask(0)
    os.umask(taken)
    return taken


def open_to_add(path: Path) -> int:
    """Open a file to add to, which nobody else may read; it is made where it is missing.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, _OWN_MODE)
    try:
        _require_regular(descriptor)
        os.fchmod(descriptor, _OWN_MODE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")


def drop_torn_line(descriptor: int, beginning: bytes) -> None:
    """Take away the half of a line that a killed process may have left at the end.

    Args:
        descriptor: of the file.
        beginning: of every line that is ours; what begins otherwise stays.
    """
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_BYTES)
    tail = os.pread(descriptor, size - start, start)
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail) and tail[whole:].startswith(beginning[: len(tail) - whole]):
        os.ftruncate(descriptor, start + whole)


def sync(descriptor: int) -> None:
    """Carry a file or a folder to the disk, where it is of a kind that can be: no pipe, no file system without sync.

    Raises:
        OSError: The disk fails or is full: what was written may be lost.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def sync_folder(folder: Path) -> None:
    """Make the new name of a file survive a power loss.

    Raises:
        OSError: The disk fails.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that one may write to but not list
        return
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def require_writable(directory: str | os.PathLike[str]) -> None:
    """Make sure that a folder can be made and written to, before hours of work; nothing is left of the trial.

    Raises:
        OutputError: It cannot be made or written to.
    """
    folder = Path(directory)
    missing: list[Path] = []
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{os.fspath(directory)}: cannot be written to ({error.strerror}); name a folder that this "
            "user may write to"
        ) from error
    finally:
        for made in missing:  # the innermost first; whoever writes a file makes its folder
            with contextlib.suppress(OSError):
                made.rmdir()
