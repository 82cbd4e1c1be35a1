"""The feature vector, whose layout only this module knows: a unit embedding, then the weighted category columns.

The category columns hold a one-hot, or the probabilities of the categories, of sum 1, where they were predicted so; all
times one weight.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vsr._checks import as_list, require_kind, require_number
from vsr._mapped import MOST_ROWS_IN_MEMORY, blocks, forget_pages
from vsr.data.categories import CATEGORIES, MISSING, Categories, category_codes
from vsr.embedding.vectors import as_embeddings, finite_matrix, unit_rows
from vsr.errors import RecordError
from vsr.features.classifier import CategoryClassifier
from vsr.features.missing import resolve_categories

# Of every category, and of none as the last one, which MISSING stands for.
_ONE_HOTS = np.eye(len(CATEGORIES) + 1, len(CATEGORIES), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class SplitFeatures:
    """Features taken apart.

    Attributes:
        embeddings: float32 (n, dim), unit rows; a view where it can be.
        codes: int64 (n,), the code in `CATEGORIES` of each row, the most probable one where there are several;
            `MISSING` (-1) where the category columns are all 0.
        categories: the same codes, or the shares of the categories where a row holds several.
        category_weight: the largest sum of a row's category columns, 0.0 where all are 0.
    """

    embeddings: NDArray[np.float32]
    codes: NDArray[np.int64]
    categories: Categories
    category_weight: float


def feature_dim(embedding_dim: int) -> int:
    """Give the width of the features of embeddings of a width."""
    return embedding_dim + len(CATEGORIES)


def build_features(
    embeddings: ArrayLike,
    categories: Sequence[str | None],
    category_weight: float = 1.0,
    classifier: CategoryClassifier | None = None,
) -> NDArray[np.float32]:
    """Put embeddings and categories together as the selectors read them.

    Args:
        embeddings: (n, dim) numbers; rows are brought to unit length, a row of zeros stays zero.
        categories: one name a row as people write it (an unknown one counts as `other`); None is predicted.
        category_weight: what stands in the category's column, 0 or more.
        classifier: predicts the categories that are None.

    Returns:
        float32 (n, dim + 14), C-order.

    Raises:
        RecordError: The lengths differ, an embedding is not finite, the weight is no number of 0 or more, a category is
            no text, the classifier was fitted on another width, or a category is None and there is no classifier.
    """
    rows = unit_rows(as_embeddings(embeddings))
    expected = f"one name (or None, with a classifier) for each of {len(rows)} rows"
    names = as_list(categories, "categories", expected, RecordError)
    codes = category_codes(names)
    if codes.shape != (len(rows),):
        raise RecordError(f"there are {len(rows)} embeddings and {len(codes)} categories; expected one category a row")
    missing = codes == MISSING
    if missing.any():
        if classifier is None:
            raise RecordError(
                f"{int(missing.sum())} of {len(codes)} queries have no category (the first is row "
                f"{int(missing.argmax())}) and there is no classifier to predict it; give the categories, or `other`, "
                "or a classifier"
            )
        expected = "vsr.features.CategoryClassifier.fit(...)"
        require_kind(classifier, CategoryClassifier, "classifier", expected, RecordError)
    return join_features(rows, resolve_categories(rows, codes, classifier).categories, category_weight)


def join_features(
    embeddings: NDArray[np.float32], categories: Categories, category_weight: float
) -> NDArray[np.float32]:
    """Lay unit embeddings and categories side by side.

    Args:
        embeddings: float32 (n, dim), unit rows.
        categories: int64 codes (n,), or shares (n, 15); the category columns of a query whose category is not known are
            all 0, as `split_features` reads them.
        category_weight: what a row's category columns sum up to, 0 or more.

    Returns:
        float32 (n, dim + 14), C-order.

    Raises:
        RecordError: The weight is no number, negative or not finite, or a code is none.
    """
    n_rows, dim = embeddings.shape
    features = np.zeros((n_rows, feature_dim(dim)), dtype=np.float32)
    features[:, :dim] = embeddings
    return with_categories(features, categories, category_weight)


def with_categories(
    features: NDArray[np.float32], categories: Categories, category_weight: float
) -> NDArray[np.float32]:
    """Fill the category columns of features, which are all 0; arguments and errors as of `join_features`.

    Returns:
        The same array.
    """
    require_number(category_weight, "category weight", "a number of 0 or more", RecordError)
    if not (math.isfinite(category_weight) and category_weight >= 0):
        raise RecordError(f"category weight is {category_weight}; expected a number of 0 or more")
    dim = features.shape[1] - len(CATEGORIES)
    if categories.ndim == 2:
        features[:, dim:] = category_weight * categories[:, : len(CATEGORIES)]
        return features
    if len(categories) and not (categories.min() >= MISSING and categories.max() < len(CATEGORIES)):
        wrong = categories[(categories < MISSING) | (categories >= len(CATEGORIES))]
        raise RecordError(
            f"category code {wrong[0]}: expected 0 to {len(CATEGORIES) - 1}, or {MISSING} where it is missing"
        )
    features[:, dim:] = category_weight * _ONE_HOTS[categories.astype(np.int64, copy=False)]
    return features


def as_features(features: ArrayLike, *, dim: int | None = None) -> NDArray[np.float32]:
    """Check a feature matrix.

    Args:
        features: (n, width) numbers.
        dim: the width that is needed (embedding and category columns), if one is.

    Returns:
        float32 (n, width), C-order; the same array where it is that already.

    Raises:
        RecordError: It is not a matrix of numbers, is too narrow or of another width, or holds NaN or infinity.
    """
    array = finite_matrix(features, noun="features")
    if array.shape[1] <= len(CATEGORIES):
        raise RecordError(
            f"features have {array.shape[1]} columns; expected more than the {len(CATEGORIES)} of the category"
        )
    if dim is not None and array.shape[1] != dim:
        raise RecordError(
            f"features have {array.shape[1]} columns; expected {dim} ({dim - len(CATEGORIES)} of the embedding and "
            f"{len(CATEGORIES)} of the category). Use the embedding model and width of the training"
        )
    return array


def split_features(features: NDArray[np.float32]) -> SplitFeatures:
    """Take features apart into embeddings and categories.

    Args:
        features: float32 (n, dim + 14).

    Raises:
        RecordError: As `as_features`.
    """
    features = as_features(features)
    dim = features.shape[1] - len(CATEGORIES)
    block = _category_columns(features, dim)
    codes, categories = _codes_and_categories(block)
    return SplitFeatures(
        features[:, :dim], codes, categories, float(block.sum(axis=1, dtype=np.float64).max(initial=0.0))
    )


def categories_of(features: NDArray[np.float32]) -> Categories:
    """Give the categories that features hold, as `split_features` does: (n, dim + 14) float32, checked."""
    return _codes_and_categories(features[:, -len(CATEGORIES) :])[1]


def _category_columns(features: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """The columns behind the embedding; of many mapped rows a copy, so that the pages of all of them are not kept."""
    if len(features) <= MOST_ROWS_IN_MEMORY:
        return features[:, dim:]
    columns = np.empty((len(features), features.shape[1] - dim), dtype=np.float32)
    for block in blocks(len(features)):
        columns[block] = features[block, dim:]
        forget_pages(features)
    return columns


def _codes_and_categories(block: NDArray[np.float32]) -> tuple[NDArray[np.int64], Categories]:
    codes = block.argmax(axis=1).astype(np.int64, copy=False)
    known = block.any(axis=1)
    n_known = np.count_nonzero(known)
    if n_known < len(block):
        codes[~known] = MISSING
    if np.count_nonzero(block) == n_known:
        return codes, codes
    shares = np.zeros((len(block), len(CATEGORIES) + 1))
    shares[:, :-1] = np.maximum(block, 0.0)
    total = shares.sum(axis=1, keepdims=True)
    shares /= np.maximum(total, np.finfo(np.float32).tiny)
    shares[total[:, 0] <= 0.0, -1] = 1.0
    return codes, shares
