"""A classifier from embedding to category, for queries that come without one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vsr._threads import one_linear_algebra_thread
from vsr.data.categories import CATEGORIES, MISSING, OTHER, category_codes
from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.errors import RecordError

MIN_LABELLED = 20
"""Labelled queries that a category needs to count in `labelled_enough`."""


_REGULARISATIONS = np.geomspace(0.01, 100.0, 9)


def labelled_enough(codes: NDArray[np.int64]) -> bool:
    """Tell whether missing categories can be predicted: two categories with at least 20 labelled queries each.

    Args:
        codes: codes (n,) as `category_codes` gives them.
    """
    counts = np.bincount(codes[codes >= 0], minlength=len(CATEGORIES))
    return int((counts >= MIN_LABELLED).sum()) >= 2


@dataclass(frozen=True, eq=False)
class CategoryClassifier:
    """Ridge regression from embedding to one-hot category, in closed form; the largest of its outputs wins.

    Attributes:
        weights: float32 (dim, n_present).
        bias: float32 (n_present,).
        codes: int64 (n_present,), the code in `CATEGORIES` of each column; categories without a query have none.
        regularisation: the ridge penalty, chosen by leave-one-out error.
        accuracy: share of the labelled queries that it gets right when each is left out of its own fit.
        n_labelled: how many queries it was fitted on.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    codes: NDArray[np.int64]
    regularisation: float
    accuracy: float
    n_labelled: int

    def __post_init__(self) -> None:
        """Check the shapes.

        Raises:
            RecordError: They do not fit together, a number is not finite or a code not one of `CATEGORIES`.
        """
        weights = np.ascontiguousarray(self.weights, dtype=np.float32)
        bias = np.ascontiguousarray(self.bias, dtype=np.float32)
        codes = np.ascontiguousarray(self.codes, dtype=np.int64)
        if weights.ndim != 2 or bias.shape != codes.shape or weights.shape[1:] != codes.shape or not codes.size:
            raise RecordError(
                f"category classifier: weights {weights.shape}, bias {bias.shape} and codes {codes.shape} do not fit; "
                "expected (dim, n), (n,) and (n,) with n of at least 1"
            )
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise RecordError("category classifier: its weights hold NaN or infinity; expected finite numbers")
        if codes.min() < 0 or codes.max() >= len(CATEGORIES) or np.unique(codes).size != codes.size:
            raise RecordError(
                f"category classifier: codes {codes.tolist()}; expected different ones from 0 to {len(CATEGORIES) - 1}"
            )
        for name, array in (("weights", weights), ("bias", bias), ("codes", codes)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def dim(self) -> int:
        """Width of the embeddings that it reads."""
        return int(self.weights.shape[0])

    @classmethod
    def fit(cls, embeddings: NDArray[np.float32], codes: NDArray[np.int64]) -> "CategoryClassifier":
        """Fit on the labelled rows; the penalty is the one of least leave-one-out squared error.

        With singular vectors at hand all penalties cost two products, and the residual of row i when it is left out is
        its residual divided by 1 - h_ii (Hastie, Tibshirani, Friedman 2009, eq. 7.64).

        Args:
            embeddings: (n, dim) float32; rows are brought to unit length.
            codes: int64 (n,) as `category_codes` gives them; rows that are `MISSING` are left out.

        Raises:
            RecordError: No row is labelled, the lengths differ, or an embedding is not finite.
        """
        embeddings = as_embeddings(embeddings)
        codes = np.asarray(codes, dtype=np.int64)
        if codes.shape != (len(embeddings),):
            raise RecordError(f"category classifier: {len(embeddings)} embeddings but codes of shape {codes.shape}")
        labelled = codes >= 0
        if not labelled.any():
            raise RecordError("category classifier: no query has a category; expected at least one labelled query")
        rows = unit_rows(embeddings[labelled])
        present, columns = np.unique(codes[labelled], return_inverse=True)
        targets = np.zeros((len(rows), len(present)), dtype=np.float32)
        targets[np.arange(len(rows)), columns] = 1.0

        row_mean, target_mean = rows.mean(axis=0), targets.mean(axis=0)
        centred, centred_targets = rows - row_mean, targets - target_mean
        left, values, right = _thin_svd(centred)
        projected = left.T @ centred_targets
        # Share of each direction that a penalty leaves: (rank, n_penalties).
        shrunk = (values[:, None] ** 2 / (values[:, None] ** 2 + _REGULARISATIONS)).astype(np.float32)
        leverages = (left * left) @ shrunk + 1.0 / len(rows)  # 1/n: the means are fitted too
        shape = (len(_REGULARISATIONS), len(present))
        fitted = left @ (shrunk[:, :, None] * projected[:, None, :]).reshape(len(projected), shape[0] * shape[1])
        fitted = fitted.reshape(len(rows), *shape)
        # Residuals of each row when it is left out of the fit, for every penalty: (n, n_penalties, n_present).
        left_out = (centred_targets[:, None, :] - fitted) / np.maximum(1.0 - leverages, 1e-6)[:, :, None]
        chosen = int(np.square(left_out).mean(axis=(0, 2), dtype=np.float64).argmin())
        accuracy = float(((targets - left_out[:, chosen]).argmax(axis=1) == columns).mean())
        penalty = float(_REGULARISATIONS[chosen])
        weights = right @ ((values / (values**2 + penalty))[:, None] * projected)
        return cls(
            weights=weights,
            bias=target_mean - row_mean @ weights,
            codes=present,
            regularisation=penalty,
            accuracy=accuracy,
            n_labelled=len(rows),
        )

    def predict(self, embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
        """Predict categories.

        Args:
            embeddings: (n, dim) float32; rows are brought to unit length.

        Returns:
            int64 codes (n,).

        Raises:
            RecordError: The width is not the one it was fitted on, or an embedding is not finite.
        """
        rows = unit_rows(as_embeddings(embeddings, dim=self.dim)).astype(np.float64)
        # In float64 a row alone and in a batch differ by 1e-16 of the outputs: the prediction is the same.
        best: NDArray[np.intp] = (rows @ self.weights.astype(np.float64) + self.bias).argmax(axis=1)
        return self.codes[best]


@dataclass(frozen=True)
class FilledCategories:
    """The categories of training data with none missing, and how that came about.

    Attributes:
        categories: one name from `CATEGORIES` a query.
        classifier: fitted on the queries that had a category; None where too few had.
        n_predicted: missing ones that it predicted.
        n_other: missing ones that became `other`, because too few were labelled.
    """

    categories: tuple[str, ...]
    classifier: CategoryClassifier | None
    n_predicted: int
    n_other: int

    def lines(self) -> list[str]:
        """Say in a sentence what became of missing categories, here and later; nothing where all is well."""
        if self.classifier is None:
            wanted = f"no classifier could be fitted; label at least {MIN_LABELLED} queries of each of two categories"
            if self.n_other:
                return [
                    f"{self.n_other:,} queries without a category count as other, and so will those routed: {wanted}"
                ]
            return [f"queries without a category will be taken as other when they are routed: {wanted}"]
        if self.n_predicted:
            share = f"{self.classifier.accuracy:.0%} of {self.classifier.n_labelled:,} labelled ones right"
            return [f"{self.n_predicted:,} missing categories predicted from the embedding ({share})"]
        return []


def fill_categories(embeddings: NDArray[np.float32], categories: Sequence[str | None]) -> FilledCategories:
    """Fit the classifier on the labelled queries and predict the categories of the others.

    Args:
        embeddings: (n, dim) float32.
        categories: one a row as people write it, None where it is missing.

    Raises:
        RecordError: The lengths differ, or an embedding is not finite.
    """
    codes = category_codes(categories)
    classifier = CategoryClassifier.fit(embeddings, codes) if labelled_enough(codes) else None
    missing = codes == MISSING
    n_missing = int(missing.sum())
    if n_missing:
        codes[missing] = OTHER if classifier is None else classifier.predict(embeddings[missing])
    return FilledCategories(
        categories=tuple(CATEGORIES[code] for code in codes),
        classifier=classifier,
        n_predicted=0 if classifier is None else n_missing,
        n_other=n_missing if classifier is None else 0,
    )


def _thin_svd(
    centred: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Give the left vectors (n, rank), singular values (rank,) and right vectors (dim, rank) of a matrix (n, dim).

    From the eigenvectors of the smaller Gram matrix. The big products stay in float32, at half the time: what that
    loses is far below the smallest penalty.
    """
    is_wide = len(centred) < centred.shape[1]
    gram = centred @ centred.T if is_wide else centred.T @ centred
    # One thread: 1,024 columns take 0.45 s with one, 0.8 s with two and 10 s with two on a busy machine.
    with one_linear_algebra_thread():
        eigenvalues, vectors = np.linalg.eigh(gram.astype(np.float64))
    keep = eigenvalues > max(eigenvalues[-1], 1.0) * len(gram) * np.finfo(np.float32).eps
    values = np.sqrt(eigenvalues[keep]).astype(np.float32)
    near = vectors[:, keep].astype(np.float32)
    far = (centred.T if is_wide else centred) @ near / values
    return (near, values, far) if is_wide else (far, values, near)
