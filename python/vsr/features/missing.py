"""What becomes of queries without a category: the one place that decides it, for training and for requests alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vsr._mapped import blocks
from vsr.data.categories import CATEGORIES, MISSING, OTHER, Categories, category_codes, category_shares, most_probable
from vsr.features.classifier import MIN_LABELLED, CategoryClassifier


@dataclass(frozen=True, eq=False)
class ResolvedCategories:
    """Categories of which none is missing.

    Attributes:
        categories: as features and means read them: codes (n,), or shares (n, 15) where some were predicted as such.
        codes: int64 (n,), the most probable category of each query.
        predicted: bool (n,), which ones a classifier predicted.
        assumed: bool (n,), which ones are `other` because nobody could predict them.
    """

    categories: Categories
    codes: NDArray[np.int64]
    predicted: NDArray[np.bool_]
    assumed: NDArray[np.bool_]


def resolve_categories(
    embeddings: NDArray[np.float32], codes: NDArray[np.int64], classifier: CategoryClassifier | None
) -> ResolvedCategories:
    """Decide what becomes of missing categories: predicted, or `other` where there is no classifier.

    Args:
        embeddings: float32 (n, dim).
        codes: int64 (n,), `MISSING` where the category is to be predicted.
        classifier: predicts them.

    Raises:
        RecordError: The classifier was fitted on another width.
    """
    missing = codes == MISSING
    if not np.count_nonzero(missing):
        return ResolvedCategories(codes, codes, predicted=missing, assumed=missing)
    none = np.zeros_like(missing)
    if classifier is None:
        filled = np.where(missing, OTHER, codes)
        return ResolvedCategories(filled, filled, predicted=none, assumed=missing)
    shares = category_shares(codes)
    rows = np.flatnonzero(missing)
    for block in blocks(len(rows)):
        shares[rows[block]] = classifier.shares(embeddings[rows[block]])
    filled = most_probable(shares)
    return ResolvedCategories(filled if classifier.temperature == 0.0 else shares, filled, missing, none)


@dataclass(frozen=True)
class FilledCategories:
    """The categories of training data with none missing, and how that came about.

    Attributes:
        categories: one name from `CATEGORIES` a query.
        classifier: fitted on the queries that had a category; None where too few had.
        n_labelled: queries that had one.
        commonest: share of those that had the commonest one, which the classifier's accuracy is to be compared with.
        n_predicted: missing ones that it predicted.
        n_other: missing ones that became `other`, in want of a classifier that beats the commonest category.
    """

    categories: tuple[str, ...]
    classifier: CategoryClassifier | None
    n_labelled: int
    commonest: float
    n_predicted: int
    n_other: int

    def lines(self) -> list[str]:
        """Say in a sentence what became of missing categories, here and later; nothing where all is well."""
        if self.classifier is None:
            why = f"no classifier could be fitted; label at least {MIN_LABELLED} queries, of two categories or more"
            if self.n_other:
                return [f"{self.n_other:,} queries without a category count as other, and so will those routed: {why}"]
            return [f"queries without a category will be taken as other when they are routed: {why}"]
        if self.n_other:
            why = "predictions from the embedding are right no more often than the commonest category"
            return [f"{self.n_other:,} queries without a category count as other: {why}"]
        if self.n_predicted:
            share = (
                f"{self.classifier.accuracy:.0%} of {self.classifier.n_labelled:,} labelled ones right, each left out; "
                f"{self.commonest:.0%} would be by the commonest category"
            )
            return [f"{self.n_predicted:,} missing categories predicted from the embedding ({share})"]
        return []


def fill_categories(
    embeddings: NDArray[np.float32],
    categories: Sequence[str | None],
    classifier: CategoryClassifier | None = None,
) -> FilledCategories:
    """Fit the classifier on the labelled queries; where it beats the commonest category, predict those of the others.

    Args:
        embeddings: (n, dim) float32.
        categories: one a row as people write it, None where it is missing.
        classifier: one that was fitted on these queries already.

    Raises:
        RecordError: The lengths differ, or an embedding is not finite.
    """
    codes = category_codes(categories)
    if classifier is None:
        classifier = CategoryClassifier.where_labelled_enough(embeddings, codes)
    labelled = codes[codes != MISSING]
    commonest = float(np.bincount(labelled).max() / len(labelled)) if len(labelled) else 0.0
    is_better = classifier is not None and classifier.accuracy > commonest
    resolved = resolve_categories(embeddings, codes, classifier if is_better else None)
    return FilledCategories(
        categories=tuple(CATEGORIES[code] for code in resolved.codes),
        classifier=classifier,
        n_labelled=len(labelled),
        commonest=commonest,
        n_predicted=int(resolved.predicted.sum()),
        n_other=int(resolved.assumed.sum()),
    )
