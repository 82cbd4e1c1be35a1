"""Preference pairs from a file: which of two models was preferred on a query."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.categories import OTHER, CategoryClassifier, category_codes
from vsr.errors import RecordError
from vsr.features import join_features, resolve_categories
from vsr.records import read_objects, unique_key
from vsr.selectors.preferences import Preferences
from vsr.vectors import as_embeddings, unit_rows


@dataclass(frozen=True)
class PreferencePairs:
    """Pairs as a file holds them, columns of equal length.

    Attributes:
        queries: the query of each pair.
        categories: its category, None where the file has none.
        preferred: name of the model that was preferred.
        other: name of the other one.
        confidence: weight of the pair, above 0.
        n_measured: pairs left out because records of their queries exist.
    """

    queries: tuple[str, ...]
    categories: tuple[str | None, ...]
    preferred: tuple[str, ...]
    other: tuple[str, ...]
    confidence: tuple[float, ...]
    n_measured: int


def read_preferences(
    path: str | os.PathLike[str],
    models: Sequence[str],
    measured_queries: Sequence[str] = (),
    *,
    skip_bad_lines: bool = False,
) -> PreferencePairs:
    """Read a file of pairs: `query, category, preferred, other, confidence`, the second and the last optional.

    Pairs on queries that were measured are left out: the records say more, and what is learnt from the pairs could
    otherwise not be compared on held-out queries.

    Args:
        path: JSON Lines, also `.gz`.
        models: names that may occur.
        measured_queries: rendered prompts of the records.
        skip_bad_lines: leave lines out that cannot be read.

    Raises:
        RecordError: A line is bad, or no pair is left.
    """
    measured = {unique_key(query) for query in measured_queries}
    source = os.fspath(path)
    lines = read_objects(path, noun="preference pairs", skip_bad_lines=skip_bad_lines)
    kept: list[tuple[str, str | None, str, str, float]] = []
    n_measured = 0
    for value in lines:
        where = f"{source}:{lines.line}"
        texts = {name: value.get(name) for name in ("query", "preferred", "other")}
        for name, text in texts.items():
            if not isinstance(text, str) or not text.strip():
                raise RecordError(f"{where}: field {name!r} is missing, blank or no text; expected a text")
        query, preferred, other = (str(text) for text in texts.values())
        for name in (preferred, other):
            if name not in models:
                raise RecordError(f"{where}: names the model {name!r}; the records are of {', '.join(models)}")
        if preferred == other:
            raise RecordError(f"{where}: 'preferred' and 'other' are both {other!r}; expected two models")
        category = value.get("category")
        if category is not None and not isinstance(category, str):
            raise RecordError(f"{where}: field 'category' is {category!r}; expected a text")
        weight = value.get("confidence", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0.0 < weight < math.inf:
            raise RecordError(f"{where}: field 'confidence' is {weight!r}; expected a number above 0")
        if unique_key(query) in measured:
            n_measured += 1
            continue
        kept.append((query, category, preferred, other, float(weight)))
    if not kept:
        raise RecordError(f"{source}: no preference pair is left: all {n_measured} are about measured queries")
    queries, categories, preferred_names, other_names, weights = zip(*kept, strict=True)
    return PreferencePairs(queries, categories, preferred_names, other_names, weights, n_measured)


def preference_features(
    pairs: PreferencePairs,
    embeddings: npt.ArrayLike,
    models: Sequence[str],
    classifier: CategoryClassifier | None,
    category_weight: float = 1.0,
) -> Preferences:
    """Put pairs into the form that a factorization learns from.

    Args:
        pairs: the pairs.
        embeddings: (n_pairs, dim) vectors of their queries.
        models: names in the order of the columns.
        classifier: predicts missing categories; without it they are `other`.
        category_weight: what stands in the category columns.
    """
    rows = unit_rows(as_embeddings(embeddings))
    codes = category_codes(pairs.categories)
    if classifier is None:
        codes = np.where(codes < 0, OTHER, codes)
    codes = resolve_categories(rows, codes, classifier)
    column_of = {name: column for column, name in enumerate(models)}
    return Preferences(
        features=join_features(rows, codes, category_weight),
        preferred=np.array([column_of[name] for name in pairs.preferred], dtype=np.int64),
        other=np.array([column_of[name] for name in pairs.other], dtype=np.int64),
        confidence=np.array(pairs.confidence, dtype=np.float64),
    )
