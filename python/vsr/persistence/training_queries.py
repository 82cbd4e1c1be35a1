"""What a folder of artefacts keeps of its training queries, `training_queries.json`; no texts.

It is enough to know them again, and to tell new ones that are like none of them. Each stands there as a salted hash of
64 bits, which says whether a given text was among them and nothing else; the vectors of at most a thousand are the
yardstick for new ones.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vsr.data.prompts import unique_key
from vsr.persistence.current import training_folder
from vsr.persistence.document import read_fields, write_documents
from vsr.persistence.held_out import HeldOut, held_out_document, read_held_out
from vsr.selectors.artefact_fields import Fields

TRAINING_QUERIES_NAME = "training_queries.json"
_FORMAT_VERSION = 1
_HASH_BYTES = 8
_SALT_BYTES = hashlib.blake2b.SALT_SIZE


@dataclass(frozen=True)
class CategorySelection:
    """Which models were chosen for the queries of one category.

    Attributes:
        category: its name.
        n_queries: queries of it.
        shares: share of these queries by model; models that were never chosen are left out.
    """

    category: str
    n_queries: int
    shares: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class TrainingQueries:
    """What a folder keeps of its training queries.

    Attributes:
        run_id: of the training.
        hashes: (n_queries,) uint64, ascending, of `query_hashes`.
        sample: (n_sample, dim) float32 vectors of some of the queries.
        distances: (n,) float64, ascending: quantiles of the distance of training queries to the sample.
        selection: by algorithm, which models were chosen for held-out queries, by category.
        held_out: what else is known of held-out queries; None where an older version wrote the file.
    """

    run_id: str
    hashes: npt.NDArray[np.uint64]
    sample: npt.NDArray[np.float32]
    distances: npt.NDArray[np.float64]
    selection: Mapping[str, tuple[CategorySelection, ...]] = field(default_factory=dict)
    held_out: HeldOut | None = None

    def are_known(self, prompts: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Say of each prompt whether it was among the training queries; case and white space do not count.

        Two of 2^64 hashes agree by chance: once in a billion for ten thousand queries against a million.
        """
        return np.isin(query_hashes(prompts, self.run_id), self.hashes)


def query_hashes(prompts: Iterable[str], run_id: str) -> npt.NDArray[np.uint64]:
    """Hash prompts so that what counts as one query has one hash: (n,) uint64, in their order.

    Args:
        prompts: rendered prompts.
        run_id: of the training; it is the salt, so that folders do not show which queries they share.
    """
    salt = run_id.encode()[:_SALT_BYTES]
    keys = (unique_key(prompt).encode("utf-8", "surrogatepass") for prompt in prompts)
    digests = b"".join(hashlib.blake2b(key, digest_size=_HASH_BYTES, salt=salt).digest() for key in keys)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def write_training_queries(directory: str | os.PathLike[str], queries: TrainingQueries) -> Path:
    """Write them beside the artefacts.

    Returns:
        Path of the file.

    Raises:
        OutputError: It cannot be written.
    """
    path = Path(directory) / TRAINING_QUERIES_NAME
    document = {
        "format_version": _FORMAT_VERSION,
        "run_id": queries.run_id,
        "n_queries": len(queries.hashes),
        "hashes": _encoded(np.sort(queries.hashes).astype("<u8")),
        "n_sample": len(queries.sample),
        "sample": _encoded(queries.sample.astype("<f2")),
        "distances": queries.distances.astype(np.float64),
        "selection": {
            algorithm: {each.category: {"n_queries": each.n_queries, "shares": dict(each.shares)} for each in rows}
            for algorithm, rows in queries.selection.items()
        },
        "held_out": None if queries.held_out is None else held_out_document(queries.held_out),
    }
    write_documents({path: document})
    return path


def read_training_queries(directory: str | os.PathLike[str]) -> TrainingQueries | None:
    """Read what a folder keeps of its training queries; None where it keeps nothing (an older version wrote it).

    Raises:
        ArtefactError: The file is damaged, or newer than this version.
    """
    path = training_folder(directory) / TRAINING_QUERIES_NAME
    if not path.exists():
        return None
    fields = read_fields(path, {"distances": "float64"})
    version = fields.get("format_version", int)
    if version > _FORMAT_VERSION:
        raise fields.error(
            "format_version", f"is {version}; this version reads up to {_FORMAT_VERSION}. Upgrade vsr-train"
        )
    hashes = np.frombuffer(_decoded(fields, "hashes", fields.get("n_queries", int), _HASH_BYTES), dtype="<u8")
    n_sample = fields.get("n_sample", int)
    sample = np.frombuffer(_decoded(fields, "sample", n_sample, 2), dtype="<f2").reshape(n_sample, -1)
    distances = fields.array("distances", (None,))
    if not distances.size or not np.isfinite(distances).all() or (np.diff(distances) < 0.0).any():
        raise fields.error("distances", "are no ascending numbers")
    if not np.isfinite(sample).all():
        raise fields.error("sample", "holds a number that is not finite")
    listed = fields.object("selection")
    return TrainingQueries(
        run_id=fields.get("run_id", str),
        hashes=hashes.astype(np.uint64),
        sample=sample.astype(np.float32),
        distances=distances,
        selection={algorithm: _selection(listed.object(algorithm)) for algorithm in listed.content},
        held_out=read_held_out(fields.object("held_out")) if fields.maybe("held_out", dict) else None,
    )


def _selection(fields: Fields) -> tuple[CategorySelection, ...]:
    found = []
    for category in fields.content:
        row = fields.object(category)
        shares = row.object("shares")
        found.append(
            CategorySelection(
                category, row.get("n_queries", int), {model: shares.get(model, float) for model in shares.content}
            )
        )
    return tuple(found)


def _encoded(array: npt.NDArray[np.generic]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _decoded(fields: Fields, name: str, n_rows: int, item_bytes: int) -> bytes:
    """Read bytes that make up so many rows of one or more items each."""
    try:
        content = base64.b64decode(fields.get(name, str), validate=True)
    except (binascii.Error, ValueError) as error:
        raise fields.error(name, "is no base64") from error
    if n_rows < 1 or not content or len(content) % (n_rows * item_bytes):
        raise fields.error(name, f"has {len(content):,} bytes, which are no {n_rows:,} rows")
    if name == "hashes" and len(content) != n_rows * item_bytes:
        raise fields.error(name, f"has {len(content):,} bytes; expected {n_rows * item_bytes:,}")
    return content
