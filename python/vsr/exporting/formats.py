"""The forms that can be written, and how a feature row looks to their readers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.data.categories import CATEGORIES, MISSING, OTHER, SEMANTIC_ROUTER_CATEGORIES
from vsr.features import split_features
from vsr.prior.category_means import FloatArray, IntArray


@dataclass(frozen=True)
class Format:
    """What a reader expects.

    Attributes:
        name: as on the command line.
        categories: its categories in the order of their columns, which follow the embedding.
        is_documented: whether files hold the documented fields; else those of vLLM Semantic Router's readers.
        has_documented_network: whether the file of an MLP holds the documented fields (too).
        has_layers: whether the file of an MLP holds `layers`.
    """

    name: str
    categories: tuple[str, ...]
    is_documented: bool
    has_documented_network: bool
    has_layers: bool

    @property
    def n_categories(self) -> int:
        """Number of category columns."""
        return len(self.categories)

    def columns(self) -> IntArray:
        """Column of each of our categories among the reader's: (14,); what it does not know is its `other`."""
        known = {name.replace(" ", "_"): column for column, name in enumerate(self.categories)}
        return np.array([known.get(name, known["other"]) for name in CATEGORIES], dtype=np.int64)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Our categories that the reader does not know; it takes them as its `other`."""
        known = {name.replace(" ", "_") for name in self.categories}
        return tuple(name for name in CATEGORIES if name not in known)

    def rows(self, features: npt.NDArray[np.float32]) -> FloatArray:
        """Lay out our feature rows as the reader does: (n, dim + 14) float32 -> (n, dim + its categories) float64.

        A query without a category is `other` there.
        """
        split = split_features(features)
        n_rows, dim = split.embeddings.shape
        laid_out = np.zeros((n_rows, dim + self.n_categories))
        laid_out[:, :dim] = split.embeddings
        codes = np.where(split.codes == MISSING, OTHER, split.codes)
        laid_out[np.arange(n_rows), dim + self.columns()[codes]] = 1.0
        return laid_out

    def table(self, values: FloatArray, counts: IntArray) -> FloatArray:
        """Bring a table of our categories into the reader's.

        Categories that the reader takes as one are averaged, weighted by their queries; those of its own that we do
        not know say what its `other` says.

        Args:
            values: (14, any).
            counts: (14,) training queries of each of our categories.
        """
        columns = self.columns()
        other = self.categories.index("other")
        weights = np.zeros((self.n_categories, len(CATEGORIES)))
        weights[columns, np.arange(len(CATEGORIES))] = np.maximum(counts, 1e-6)
        unknown = weights.sum(axis=1) == 0.0
        weights[unknown] = weights[other]
        weights /= weights.sum(axis=1, keepdims=True)
        return np.asarray(weights @ values)


FORMATS = {
    each.name: each
    for each in (
        Format("documented", CATEGORIES, is_documented=True, has_documented_network=True, has_layers=False),
        # Since its first release (#1119), which has no reader of an MLP: both forms of one are written.
        Format(
            "semantic-router",
            SEMANTIC_ROUTER_CATEGORIES,
            is_documented=False,
            has_documented_network=True,
            has_layers=True,
        ),
        # Since its MLP on Candle (#1299): exactly the fields of these readers.
        Format(
            "semantic-router-v2",
            SEMANTIC_ROUTER_CATEGORIES,
            is_documented=False,
            has_documented_network=False,
            has_layers=True,
        ),
    )
}
"""By name, the forms that can be written."""
