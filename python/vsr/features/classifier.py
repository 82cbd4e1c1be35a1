"""A classifier from embedding to category, for queries that come without one."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vsr._threads import one_linear_algebra_thread
from vsr.data.categories import CATEGORIES, most_probable
from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.errors import RecordError

MIN_LABELLED = 40
"""Labelled queries, of two categories at least, that a classifier is fitted on."""


# Beyond so many labelled queries a random sample is fitted: a thousand weights a category are settled by then. It has
# so many of every category at least, where there are so many.
_MOST_FITTED = 50_000
_FEWEST_OF_A_CATEGORY = 200
_REGULARISATIONS = np.geomspace(0.01, 100.0, 9)
# 0 is the one-hot of the most probable category; the others are a factor of 1.2 apart.
_TEMPERATURES = (0.0, *np.geomspace(0.02, 2.0, 26))


def _drawn(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Draw the labelled rows to fit, in their order."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(codes >= 0))
    by_category = np.argsort(codes[rows], kind="stable")
    sizes = np.bincount(codes[rows])
    place = np.empty(len(rows), dtype=np.int64)  # of each row in its category
    place[by_category] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    first = np.argsort(place >= _FEWEST_OF_A_CATEGORY, kind="stable")
    return np.sort(rows[first[:_MOST_FITTED]])


def labelled_enough(codes: NDArray[np.int64]) -> bool:
    """Tell whether a classifier can be fitted: at least 40 labelled queries, of at least two categories.

    Args:
        codes: codes (n,) as `category_codes` gives them.
    """
    labelled = codes[codes >= 0]
    return len(labelled) >= MIN_LABELLED and len(np.unique(labelled)) >= 2


@dataclass(frozen=True, eq=False)
class CategoryClassifier:
    """Ridge regression from embedding to one-hot category, in closed form, and a softmax of its outputs.

    Attributes:
        weights: float32 (dim, n_present).
        bias: float32 (n_present,).
        codes: int64 (n_present,), the code in `CATEGORIES` of each column; categories without a query have none.
        regularisation: the ridge penalty, chosen by leave-one-out error.
        accuracy: share of the labelled queries that it gets right when each is left out of its own fit.
        n_labelled: how many queries it was fitted on.
        temperature: what outputs are divided by before the softmax that turns them into probabilities, chosen by
            leave-one-out squared error; 0: the category of the largest output has probability 1.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    codes: NDArray[np.int64]
    regularisation: float
    accuracy: float
    n_labelled: int
    temperature: float = 0.0

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
        if not (math.isfinite(self.temperature) and self.temperature >= 0.0):
            raise RecordError(f"category classifier: temperature {self.temperature}; expected a number of 0 or more")
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
        """Fit on the labelled rows; penalty and temperature are those of least leave-one-out squared error.

        With singular vectors at hand all penalties cost two products, and the residual of row i when it is left out is
        its residual divided by 1 - h_ii (Hastie, Tibshirani, Friedman 2009, eq. 7.64).

        Args:
            embeddings: (n, dim) float32; rows are brought to unit length.
            codes: int64 (n,) as `category_codes` gives them; rows that are `MISSING` are left out.

        Raises:
            RecordError: No row is labelled, the lengths differ, or an embedding is not finite.
        """
        codes = np.asarray(codes, dtype=np.int64)
        if np.count_nonzero(codes >= 0) > _MOST_FITTED and codes.shape == (len(embeddings),):
            drawn = _drawn(codes)
            embeddings, codes = np.asarray(embeddings)[drawn], codes[drawn]
        embeddings = as_embeddings(embeddings)
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
        outputs = targets - left_out[:, chosen]
        errors = [float(np.square(targets - _probabilities(outputs, each)).sum()) for each in _TEMPERATURES]
        best = int(np.argmin(errors))
        penalty = float(_REGULARISATIONS[chosen])
        weights = right @ ((values / (values**2 + penalty))[:, None] * projected)
        return cls(
            weights=weights,
            bias=target_mean - row_mean @ weights,
            codes=present,
            regularisation=penalty,
            accuracy=float((outputs.argmax(axis=1) == columns).mean()),
            n_labelled=len(rows),
            temperature=float(_TEMPERATURES[best]),
        )

    @classmethod
    def where_labelled_enough(
        cls, embeddings: NDArray[np.float32], codes: NDArray[np.int64]
    ) -> "CategoryClassifier | None":
        """Fit where enough rows are labelled.

        Where embeddings tell nothing of the categories, the penalty and the temperature of least error leave little
        more than the frequencies of the categories, which is still far better than `other` for every query.

        Args:
            embeddings: (n, dim) float32; rows are brought to unit length.
            codes: int64 (n,) as `category_codes` gives them.

        Raises:
            RecordError: The lengths differ, or an embedding is not finite.
        """
        return cls.fit(embeddings, codes) if labelled_enough(codes) else None

    def shares(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict how probable every category is.

        Args:
            embeddings: (n, dim) float32; rows are brought to unit length.

        Returns:
            float64 shares (n, 15), rows of sum 1; one-hots where the temperature is 0.

        Raises:
            RecordError: The width is not the one it was fitted on, or an embedding is not finite.
        """
        rows = unit_rows(as_embeddings(embeddings, dim=self.dim)).astype(np.float64)
        # In float64 a row alone and in a batch differ by 1e-16 of the outputs: rounded, the prediction is the same.
        outputs = np.round(rows @ self.weights.astype(np.float64) + self.bias, 12)
        shares = np.zeros((len(rows), len(CATEGORIES) + 1))
        shares[:, self.codes] = _probabilities(outputs, self.temperature)
        return shares

    def predict(self, embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
        """Predict the most probable category.

        Args:
            embeddings: (n, dim) float32; rows are brought to unit length.

        Returns:
            int64 codes (n,).

        Raises:
            RecordError: As in `shares`.
        """
        return most_probable(self.shares(embeddings))


def _probabilities(outputs: NDArray[Any], temperature: float) -> NDArray[Any]:
    """Softmax of outputs / temperature, (n, n_present) -> the same; the one-hot of the largest at temperature 0."""
    if temperature == 0.0:
        return np.asarray(np.eye(outputs.shape[1])[outputs.argmax(axis=1)])
    raised = np.exp((outputs - outputs.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


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
