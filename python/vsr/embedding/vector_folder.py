"""Vectors as a folder of Parquet: shards that several processes write in any order, and in the end a list of them.

The name of a shard holds a digest of its texts and of the embedder: whoever writes it a second time writes the same,
and a run that starts again finds what is finished by name alone. The library comes with the extra `parquet`.
"""

import hashlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from vsr._files import atomic_writer
from vsr._mapped import empty_matrix
from vsr.embedding.fingerprint import Fingerprint
from vsr.embedding.vectors import as_embeddings
from vsr.errors import EmbeddingError, OutputError, RecordError, install

ROWS_PER_SHARD = 512
LIST_NAME = "embeddings.json"
_FORMAT = 1
_DIGEST_BYTES = 8
_OURS = re.compile(r"\.?vectors-\d{6,}-[0-9a-f]{16}\.parquet.*")  # with what a killed writer left of it


@dataclass(frozen=True)
class Shard:
    """Texts whose vectors are one file.

    Attributes:
        name: of the file.
        first_id: `query_id` of the first text; those of the others follow.
        texts: what is embedded.
    """

    name: str
    first_id: int
    texts: tuple[str, ...]

    @classmethod
    def of(cls, number: int, first_id: int, texts: Sequence[str], fingerprint: Fingerprint) -> "Shard":
        """Name a shard after what is in it."""
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        digest.update(msgspec.json.encode([fingerprint.key(), first_id, texts]))
        return cls(f"vectors-{number:06d}-{digest.hexdigest()}.parquet", first_id, tuple(texts))


def shards_of(texts: Sequence[str], fingerprint: Fingerprint, rows_per_shard: int = ROWS_PER_SHARD) -> Iterator[Shard]:
    """Split texts into shards; their `query_id` is their place.

    Args:
        texts: in order, without lone surrogates.
        fingerprint: of the embedder.
        rows_per_shard: how many texts each holds; the last one what is left.
    """
    for number, first in enumerate(range(0, len(texts), rows_per_shard)):
        yield Shard.of(number, first, texts[first : first + rows_per_shard], fingerprint)


class _ShardList(msgspec.Struct, frozen=True):
    """What the list says: the folder is whole when it is there."""

    format: int
    n_queries: int
    rows_per_shard: int
    embedder: dict[str, Any]
    shards: list[str]


class VectorFolder:
    """A folder of vectors, on this machine or at any address that fsspec knows, such as `s3://bucket/vectors`."""

    def __init__(self, address: str | os.PathLike[str]) -> None:
        """Name the folder; it need not be there.

        Raises:
            OutputError: There is no library for it.
        """
        _require_library(address)
        from fsspec.core import url_to_fs  # noqa: PLC0415 (half a second)
        from fsspec.implementations.local import LocalFileSystem  # noqa: PLC0415

        self.address = os.fspath(address)
        try:
            self._files, self._root = url_to_fs(self.address)
        except (ImportError, ValueError) as error:
            raise OutputError(
                f"{self.address}: no such kind of address ({_first_line(error)}); expected a folder, or an address "
                "that fsspec and the packages here can open"
            ) from error
        self._is_local = isinstance(self._files, LocalFileSystem)

    def require_writable(self) -> None:
        """Make the folder, before hours of work.

        Raises:
            OutputError: It cannot be made.
        """
        try:
            self._files.makedirs(self._root, exist_ok=True)
        except Exception as error:  # every kind of storage has errors of its own
            raise OutputError(f"{self.address}: cannot be made ({_first_line(error)}); name another folder") from error

    def names(self) -> set[str]:
        """Give the names of all files that are there, whole ones alone having the name of a shard.

        Raises:
            OutputError: It cannot be listed.
        """
        self._files.invalidate_cache()
        try:
            found = self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            return set()
        except Exception as error:
            raise OutputError(f"{self.address}: cannot be listed ({_first_line(error)})") from error
        return {str(each).rstrip("/").rpartition("/")[2] for each in found}

    def write(self, shard: Shard, vectors: npt.NDArray[np.float32], n_truncated: int) -> None:
        """Write a shard, whole or not at all.

        Args:
            shard: whose vectors they are.
            vectors: float32 (n_texts, dim).
            n_truncated: how many of its texts were cut to the token limit.

        Raises:
            OutputError: It cannot be written.
        """
        import pyarrow as pa  # noqa: PLC0415 -- an extra
        import pyarrow.parquet as pq  # noqa: PLC0415

        ids = np.arange(shard.first_id, shard.first_id + len(shard.texts), dtype=np.int64)
        columns = [pa.array(ids), pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])]
        table = pa.Table.from_arrays(columns, names=["query_id", "vector"])
        packed = io.BytesIO()
        # Numbers of a vector have no two alike: dictionaries and packing only take time.
        pq.write_table(
            table.replace_schema_metadata({"n_truncated": str(n_truncated)}),
            packed,
            compression="none",
            use_dictionary=False,
            write_statistics=False,
        )
        self._put(shard.name, packed.getvalue())

    def n_truncated(self, name: str) -> int:
        """Tell how many texts of a finished shard were cut to the token limit.

        Raises:
            RecordError: The shard is damaged.
        """
        try:
            return int(self._read(name).schema.metadata[b"n_truncated"])
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"{self.address}/{name}: is not what was written; remove it and embed again") from error

    def finish(self, names: Sequence[str], n_queries: int, fingerprint: Fingerprint) -> None:
        """Write the list that makes the folder whole; then remove shards of other texts, which it supersedes.

        Args:
            names: of all shards, in order.
            n_queries: rows that they hold together.
            fingerprint: of the embedder.

        Raises:
            OutputError: A shard is missing, or the list cannot be written.
        """
        there = self.names()
        missing = [name for name in names if name not in there]
        if missing:
            raise OutputError(
                f"{self.address}: {len(missing):,} of {len(names):,} shards are missing, the first is {missing[0]}; "
                "is this folder the same one on all nodes? Finished shards are kept: run it again"
            )
        listed = _ShardList(_FORMAT, n_queries, ROWS_PER_SHARD, dict(fingerprint.to_json()), list(names))
        self._put(LIST_NAME, msgspec.json.format(msgspec.json.encode(listed)) + b"\n")
        for name in there - set(names):
            if _OURS.fullmatch(name):
                self._files.rm_file(self._path(name))

    def fingerprint(self) -> Fingerprint:
        """Tell which embedder made the vectors.

        Raises:
            RecordError: The folder is not whole.
        """
        return self._listed()[1]

    def read(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Read the vectors of texts, ordered by `query_id`: all rows must be there, none twice.

        Args:
            texts: the ones that were embedded, in order.

        Returns:
            float32 (n_texts, dim).

        Raises:
            RecordError: The folder is not whole, is damaged, or was made of other texts.
        """
        listed, fingerprint = self._listed()
        if listed.n_queries != len(texts):
            raise RecordError(
                f"{self.address}: holds vectors of {listed.n_queries:,} queries; expected {len(texts):,}, one per "
                "unique query of the file. Embed that file"
            )
        expected = shards_of(texts, fingerprint, listed.rows_per_shard)
        if [shard.name for shard in expected] != listed.shards:
            raise RecordError(
                f"{self.address}: holds vectors of other queries, or in another order; expected those of this file. "
                "Embed it"
            )
        vectors = empty_matrix(len(texts), fingerprint.width)
        n_times = np.zeros(len(texts), dtype=np.int64)
        for name in listed.shards:
            table = self._read(name)
            ids, rows = (
                table.column("query_id").to_numpy(),
                table.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False),
            )
            is_whole = rows.size == len(ids) * fingerprint.width and ids.dtype == np.int64
            if not is_whole or np.any((ids < 0) | (ids >= len(texts))):
                raise RecordError(f"{self.address}/{name}: is not what was written; remove it and embed again")
            vectors[ids] = rows.reshape(len(ids), fingerprint.width)
            np.add.at(n_times, ids, 1)
        if np.any(n_times != 1):
            wrong = int(np.flatnonzero(n_times != 1)[0])
            raise RecordError(
                f"{self.address}: query_id {wrong} is there {n_times[wrong]} times; expected every row once. Remove "
                "the folder and embed again"
            )
        try:
            return as_embeddings(vectors)
        except RecordError as error:
            raise RecordError(f"{self.address}: {error}") from error

    def _listed(self) -> tuple[_ShardList, Fingerprint]:
        try:
            content = self._files.cat_file(self._path(LIST_NAME))
        except FileNotFoundError as error:
            raise RecordError(
                f"{self.address}: has no {LIST_NAME}: it is no folder of vectors, or its run has not finished; run "
                "`vsr-train embed` again, it goes on where it stopped"
            ) from error
        except Exception as error:
            raise RecordError(f"{self.address}: cannot be read ({_first_line(error)})") from error
        try:
            listed = msgspec.json.decode(content, type=_ShardList)
            fingerprint = Fingerprint.from_json(listed.embedder)
        except (msgspec.MsgspecError, UnicodeDecodeError, EmbeddingError) as error:
            raise RecordError(f"{self.address}/{LIST_NAME}: is damaged ({error}); embed again") from error
        if listed.format != _FORMAT or listed.rows_per_shard < 1:
            raise RecordError(f"{self.address}/{LIST_NAME}: has format {listed.format}; expected {_FORMAT}")
        return listed, fingerprint

    def _read(self, name: str) -> Any:  # noqa: ANN401 (a table of an optional library)
        import pyarrow.parquet as pq  # noqa: PLC0415 -- an extra

        try:
            packed = self._files.cat_file(self._path(name))
            table = pq.read_table(io.BytesIO(packed), columns=["query_id", "vector"])
        except Exception as error:  # missing, cut, or whatever else the storage says
            raise RecordError(
                f"{self.address}/{name}: cannot be read ({_first_line(error)}); remove it and embed again"
            ) from error
        return table

    def _put(self, name: str, content: bytes) -> None:
        """Write a file under a name of its own, then rename it."""
        if self._is_local:
            with atomic_writer(Path(self._path(name))) as file:
                file.write(content)
            return
        temporary = self._path(f".{name}.{os.urandom(4).hex()}.tmp")
        try:
            self._files.pipe_file(temporary, content)
            self._files.mv(temporary, self._path(name))
        except Exception as error:
            raise OutputError(f"{self.address}/{name}: cannot be written ({_first_line(error)})") from error

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def _require_library(address: str | os.PathLike[str]) -> None:
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 -- an extra
    except ImportError as error:
        raise OutputError(
            f"{os.fspath(address)}: a folder of Parquet needs the extra `parquet`: {install('parquet')}"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0][:200]
