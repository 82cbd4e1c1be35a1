"""The feature vector, whose layout only this module knows: a unit embedding, then the weighted category one-hot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vsr._checks import as_list, require_kind, require_number
from vsr.data.categories import CATEGORIES, MISSING, category_codes
from vsr.embedding.vectors import as_embeddings, finite_matrix, unit_rows
from vsr.errors import RecordError
from vsr.features.classifier import CategoryClassifier


@dataclass(frozen=True, eq=False)
class SplitFeatures:
    """Features taken apart.

    Attributes:
        embeddings: float32 (n, dim), unit rows; a view where it can be.
        codes: int64 (n,), the code in `CATEGORIES` of each row, `MISSING` (-1) where the category columns are all 0.
        category_weight: the largest entry of the category columns, 0.0 where all are 0.
    """

    embeddings: NDArray[np.float32]
    codes: NDArray[np.int64]
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
    codes = resolve_categories(rows, category_codes(names), classifier)
    return join_features(rows, codes, category_weight)


def resolve_categories(
    embeddings: NDArray[np.float32], codes: NDArray[np.int64], classifier: CategoryClassifier | None
) -> NDArray[np.int64]:
    """Predict the categories that are missing.

    Args:
        embeddings: float32 (n, dim).
        codes: int64 (n,), `MISSING` where the category is to be predicted.
        classifier: predicts them; not needed where none is missing.

    Returns:
        int64 (n,) without `MISSING`.

    Raises:
        RecordError: The lengths differ, a category is missing and there is no classifier, or the widths differ.
    """
    if codes.shape != (len(embeddings),):
        raise RecordError(
            f"there are {len(embeddings)} embeddings and {len(codes)} categories; expected one category a row"
        )
    missing = codes == MISSING
    if not missing.any():
        return codes
    if classifier is None:
        raise RecordError(
            f"{int(missing.sum())} of {len(codes)} queries have no category (the first is row {int(missing.argmax())}) "
            "and there is no classifier to predict it; give the categories, or `other`, or a classifier"
        )
    require_kind(classifier, CategoryClassifier, "classifier", "vsr.features.CategoryClassifier.fit(...)", RecordError)
    resolved = codes.copy()
    resolved[missing] = classifier.predict(embeddings[missing])
    return resolved


def join_features(
    embeddings: NDArray[np.float32], codes: NDArray[np.int64], category_weight: float
) -> NDArray[np.float32]:
    """Lay unit embeddings and category codes side by side.

    Args:
        embeddings: float32 (n, dim), unit rows.
        codes: int64 (n,); the category columns of one that is `MISSING` are all 0, as `split_features` reads them.
        category_weight: what stands in the category's column, 0 or more.

    Returns:
        float32 (n, dim + 14), C-order.

    Raises:
        RecordError: The weight is no number, negative or not finite, or a code is none.
    """
    require_number(category_weight, "category weight", "a number of 0 or more", RecordError)
    if not (math.isfinite(category_weight) and category_weight >= 0):
        raise RecordError(f"category weight is {category_weight}; expected a number of 0 or more")
    n_rows, dim = embeddings.shape
    features = np.zeros((n_rows, feature_dim(dim)), dtype=np.float32)
    features[:, :dim] = embeddings
    known = np.flatnonzero(codes != MISSING)
    wrong = (codes[known] < 0) | (codes[known] >= len(CATEGORIES))
    if wrong.any():
        raise RecordError(
            f"category code {codes[known][wrong][0]}: expected 0 to {len(CATEGORIES) - 1}, "
            f"or {MISSING} where it is missing"
        )
    features[known, dim + codes[known]] = category_weight
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
    """Take features apart into embeddings and category codes.

    Args:
        features: float32 (n, dim + 14).

    Raises:
        RecordError: As `as_features`.
    """
    features = as_features(features)
    dim = features.shape[1] - len(CATEGORIES)
    one_hot = features[:, dim:]
    codes = np.where(one_hot.any(axis=1), one_hot.argmax(axis=1), MISSING).astype(np.int64)
    return SplitFeatures(features[:, :dim], codes, float(one_hot.max(initial=0.0)))
