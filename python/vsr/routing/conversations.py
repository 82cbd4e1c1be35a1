"""Which model answered last in a conversation: gateways call without memory, and a prompt cache lives at one model.

A table in memory that processes share: a file that all of them map, or memory that a process and its forks have in
common. There is no lock and no database: a slot that two wrote at once fails its checksum, and counts as empty.
"""

import contextlib
import json
import logging
import mmap
import os
import stat
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

_LOGGER = logging.getLogger(__name__)

Messages = Sequence[Mapping[str, object]]

DEFAULT_MAX_CONVERSATIONS = 32_768
_MAGIC = b"vsrlast1"
_SECRET_BYTES = 16
_DIGEST_BYTES = 16
_MOST_NAME_BYTES = 95
_SLOT = struct.Struct(f"<Id{_DIGEST_BYTES}s{_MOST_NAME_BYTES + 1}p4x")  # checksum, time, digest, name of the model
_CHECKSUM = struct.Struct("<I")
_SLOTS_OF_A_KEY = 8  # a conversation lies in one of these; where all are taken, the longest silent one goes
_HEADER_BYTES = _SLOT.size
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """What a conversation is known by.

    Attributes:
        digest: of its session id or its first messages, and of who asks, under the secret of the table.
        has_begun: whether a model may have answered in it: without an id, one turn is nobody's conversation yet.
    """

    digest: bytes
    has_begun: bool


class Conversations:
    """The last model of every conversation; bounded in number and in time. Nobody's text or id is kept, only hashes."""

    def __init__(
        self,
        path: Path | None = None,
        max_conversations: int = DEFAULT_MAX_CONVERSATIONS,
        keep_s: float = 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Map the table.

        Args:
            path: the file, made where it is missing; None shares the table with the forks of this process alone.
            max_conversations: the one that was silent for longest is forgotten first.
            keep_s: how long after its last request a conversation is forgotten.
            clock: seconds that all processes agree on.

        Raises:
            OSError: The file cannot be made or mapped, or is not this user's alone.
        """
        self.path = path
        self._keep_s = keep_s
        self._clock = clock
        self._ways = min(_SLOTS_OF_A_KEY, max_conversations)
        self._n_sets = max(1, max_conversations // self._ways)
        n_bytes = _HEADER_BYTES + self._n_sets * self._ways * _SLOT.size
        if path is None:
            self._table = mmap.mmap(-1, n_bytes)
            self._table[:_HEADER_BYTES] = _header()
        else:
            self._table = _mapped(path, n_bytes)
        self._secret = self._table[len(_MAGIC) : len(_MAGIC) + _SECRET_BYTES]

    @classmethod
    def shared(cls, what: str | os.PathLike[str]) -> "Conversations":
        """Share a table with all processes of this user that route by the same thing.

        It lies in a folder of this user's alone: of XDG_RUNTIME_DIR, or of the folder for temporary files. Where none
        can be made, the table is shared by this process and its forks, and the log says so.

        Args:
            what: path of the artefacts or of the configuration.
        """
        name = blake2b(os.path.realpath(what).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        try:
            return cls(_private_folder() / f"conversations-{name}")
        except OSError as error:
            _LOGGER.warning("conversations are kept by each process for itself: %s", error)
            return cls()

    def __len__(self) -> int:
        """Count the conversations that are held."""
        slots = _SLOT.iter_unpack(self._table[_HEADER_BYTES:])
        oldest_s = self._clock() - self._keep_s
        return sum(time_s >= oldest_s and bool(name) for _, time_s, _, name in slots)

    def key(self, messages: Messages, session: str | None, owner: str | None) -> ConversationKey:
        """Say what a conversation is known by: its session id, without one its first messages.

        Args:
            messages: the conversation so far.
            session: its id.
            owner: who asks: the same id of somebody else is another conversation.
        """
        said: object = session
        has_begun = session is not None
        if session is None:
            roles = [message.get("role") for message in messages]
            said = list(messages[: roles.index("user") + 1 if "user" in roles else 1])
            has_begun = "assistant" in roles
        digest = blake2b(_text([owner, said]), key=self._secret, digest_size=_DIGEST_BYTES).digest()
        return ConversationKey(digest, has_begun)

    def find(self, key: ConversationKey) -> str | None:
        """Give the model that answered last; None where that is not known, or nobody can have answered yet."""
        if not key.has_begun:
            return None
        for slot, (checksum, time_s, digest, name) in self._slots_of(key):
            if digest == key.digest and self._clock() - time_s <= self._keep_s:
                is_whole = zlib.crc32(self._table[slot + _CHECKSUM.size : slot + _SLOT.size]) == checksum
                return str(name, "utf-8", "replace") if is_whole and name else None
        return None

    def remember(self, key: ConversationKey, model: str) -> None:
        """Keep the model that is asked now; one whose name has more than 95 bytes is not kept."""
        name = model.encode("utf-8", "surrogatepass")
        if len(name) > _MOST_NAME_BYTES:
            return
        # Its own slot, else that of the longest silent one; an empty one is silent since 1970.
        slot, _ = min(self._slots_of(key), key=lambda each: (each[1][2] != key.digest, each[1][1]))
        content = _SLOT.pack(0, self._clock(), key.digest, name)[_CHECKSUM.size :]
        self._table[slot : slot + _SLOT.size] = _CHECKSUM.pack(zlib.crc32(content)) + content

    def _slots_of(self, key: ConversationKey) -> Iterator[tuple[int, tuple[int, float, bytes, bytes]]]:
        """Give the slots in which a conversation may lie: where each starts, and its content."""
        n_bytes = self._ways * _SLOT.size
        start = _HEADER_BYTES + int.from_bytes(key.digest[:8], "little") % self._n_sets * n_bytes
        content = self._table[start : start + n_bytes]
        return zip(range(start, start + n_bytes, _SLOT.size), _SLOT.iter_unpack(content), strict=True)


def _text(said: object) -> bytes:
    try:
        return _encode(said)
    except (TypeError, UnicodeEncodeError):  # what a gateway passes on may be no JSON
        return json.dumps(said, default=str).encode("utf-8", "surrogatepass")


def _header() -> bytes:
    return (_MAGIC + os.urandom(_SECRET_BYTES)).ljust(_HEADER_BYTES, b"\0")


def _mapped(path: Path, n_bytes: int) -> mmap.mmap:
    """Map a file that only this user may read; whoever makes it, all get the same."""
    for _ in range(3):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            _make(path, n_bytes)
            continue
        try:
            _require_own(path, os.fstat(descriptor), stat.S_ISREG)
            if os.fstat(descriptor).st_size == n_bytes:
                table = mmap.mmap(descriptor, n_bytes)
                if table[: len(_MAGIC)] == _MAGIC:
                    return table
        finally:
            os.close(descriptor)
        path.unlink(missing_ok=True)  # of another version: whoever maps it keeps it
        _make(path, n_bytes)
    raise OSError(f"{path}: is replaced all the time")


def _make(path: Path, n_bytes: int) -> None:
    """Make the file, whole from its first moment; another process may be faster."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:  # with every byte: a full disk must not show when a slot is written
            file.write(_header().ljust(n_bytes, b"\0"))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        Path(temporary).unlink()


def _private_folder() -> Path:
    given = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(given) / "vsr" if given else Path(tempfile.gettempdir()) / f"vsr-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    _require_own(folder, folder.lstat(), stat.S_ISDIR)
    return folder


def _require_own(path: Path, found: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    """Refuse what another user could have put there, or may read.

    Raises:
        PermissionError: It is so.
    """
    if not is_kind(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{path}: is not of this user alone")
