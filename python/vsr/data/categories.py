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

SEMANTIC_ROUTER_CATEGORIES = (
    "math",
    "physics",
    "chemistry",
    "biology",
    "computer science",
    "history",
    "economics",
    "business",
    "law",
    "health",
    "psychology",
    "philosophy",
    "other",
    "unknown",
)
"""The categories of vLLM Semantic Router in the order of their columns there."""

FIRST_SEMANTIC_ROUTER_CATEGORIES = (
    "biology",
    "business",
    "chemistry",
    "computer science",
    "economics",
    "engineering",
    "health",
    "history",
    "law",
    "math",
    "other",
    "philosophy",
    "physics",
    "psychology",
)
"""The same of its first version, before any release."""

OTHER = CATEGORIES.index("other")
"""Code of the category for everything that has none of its own."""

MISSING = -1
"""Code of a query whose category is not known."""


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


def category_names(codes: Sequence[int] | NDArray[np.int64]) -> tuple[str | None, ...]:
    """Give the names of category codes, None for `MISSING`."""
    return tuple(CATEGORIES[code] if code >= 0 else None for code in codes)
