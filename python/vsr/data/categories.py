"""The categories of queries: their fixed order, codes and other names."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vsr._spelling import nearest
from vsr.errors import RecordError

CATEGORIES = (
    "math",
    "physics",
    "chemistry",
    "biology",
    "computer_science",
    "history",
    "economics",
    "health",
    "psychology",
    "law",
    "business",
    "philosophy",
    "engineering",
    "other",
)
"""The categories in the order of their columns in a feature vector; it is written into every artefact."""

OTHER = CATEGORIES.index("other")
"""Code of the category for everything that has none of its own."""

MISSING = -1
"""Code of a query whose category is not known."""

Categories = NDArray[np.int64] | NDArray[np.float64]
"""Of every query, its category: codes (n,), or shares (n, 15), the probability of each category and of none known."""


_BLOCK_ROWS = 1024

_ALIASES = {"medicine": "health"}
_CODES = {name: code for code, name in enumerate(CATEGORIES)}


def normalise_category(name: str) -> str | None:
    """Give the name in `CATEGORIES` for a category as people write it, None where it is not one of them.

    Upper case, spaces and hyphens are accepted; `medicine` is health. `unknown`, `geography` and the like are not
    known: callers take them as `other` and count them.
    """
    plain = "_".join(name.lower().replace("-", " ").replace("_", " ").split())
    plain = _ALIASES.get(plain, plain)
    return plain if plain in _CODES else None


def meant_category(name: str) -> str | None:
    """Give the category that an unknown name is nearly, if there is one."""
    return nearest(name.strip(), (*CATEGORIES, *_ALIASES))


def category_codes(categories: Iterable[str | None]) -> NDArray[np.int64]:
    """Give the column of each category in `CATEGORIES`.

    Args:
        categories: names as people write them; an unknown one is `other`; None and blank are missing.

    Returns:
        int64 codes (n,), `MISSING` (-1) for what is missing.

    Raises:
        RecordError: One is no text.
    """
    known: dict[str | None, int] = {None: MISSING}
    codes = []
    for name in categories:
        _require_name(name)
        code = known.get(name)
        if code is None:
            code = known[name] = _code(name or "")
        codes.append(code)
    return np.array(codes, dtype=np.int64)


def _code(name: str) -> int:
    if not name.strip():
        return MISSING
    plain = normalise_category(name)
    return OTHER if plain is None else _CODES[plain]


def _require_name(name: str | None) -> None:
    if name is not None and not isinstance(name, str):
        raise RecordError(f"category {name!r} is no text; expected a name such as 'math', or None where it is missing")


@dataclass(frozen=True)
class UnknownCategory:
    """A category that is not one of `CATEGORIES` and is taken as `other`, and how often it occurs."""

    name: str
    count: int


def unknown_categories(categories: Iterable[str | None]) -> tuple[UnknownCategory, ...]:
    """Count the categories that are taken as `other` because they are not known, the most frequent first.

    Raises:
        RecordError: One is no text.
    """
    categories = list(categories)
    for name in categories:
        _require_name(name)
    counts = Counter(name for name in categories if name is not None and name.strip())
    unknown = [UnknownCategory(name, count) for name, count in counts.items() if normalise_category(name) is None]
    return tuple(sorted(unknown, key=lambda each: (-each.count, each.name)))


def category_shares(categories: Categories) -> NDArray[np.float64]:
    """Give categories as shares: (n, 15) float64, rows of sum 1."""
    return categories.astype(np.float64) if categories.ndim == 2 else np.eye(len(CATEGORIES) + 1)[categories]


def most_probable(categories: Categories) -> NDArray[np.int64]:
    """Give the code of the most probable category of every query: (n,) int64, `MISSING` where none is known."""
    if categories.ndim == 1:
        return categories.astype(np.int64)
    best = categories.argmax(axis=1)
    return np.where(best == len(CATEGORIES), MISSING, best).astype(np.int64)


def rows_of(table: NDArray[np.float64], categories: Categories) -> NDArray[np.float64]:
    """Look up every query's row of a table by category; of shares, the mean of the rows, weighted by them.

    Args:
        table: (15, n_columns) float64, a row per category, the last one for queries whose category is not known.
        categories: codes (n,) or shares (n, 15).

    Returns:
        (n, n_columns) float64.
    """
    if categories.ndim == 1:
        return table[categories]
    # No matrix product: one row alone and in a batch have to give the same bits.
    blocks = [
        (categories[start : start + _BLOCK_ROWS, :, None] * table).sum(axis=1)
        for start in range(0, max(len(categories), 1), _BLOCK_ROWS)
    ]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def category_names(codes: Sequence[int] | NDArray[np.int64]) -> tuple[str | None, ...]:
    """Give the names of category codes, None for `MISSING`."""
    return tuple(CATEGORIES[code] if code >= 0 else None for code in codes)
