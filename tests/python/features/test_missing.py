"""What becomes of missing categories, in training data and in requests."""

import numpy as np

from features.test_classifier import clusters
from vsr.data.categories import MISSING, OTHER
from vsr.features.classifier import CategoryClassifier
from vsr.features.missing import fill_categories, resolve_categories


def test_missing_categories_are_filled_where_enough_are_labelled() -> None:
    rows, codes = clusters(100, 16, 2, noise=0.1)
    names = [["law", "math"][code] for code in codes]
    partly = [None if row % 5 == 0 else name for row, name in enumerate(names)]
    filled = fill_categories(rows, partly)
    assert filled.categories == tuple(names)
    assert (filled.n_predicted, filled.n_other) == (20, 0)
    (line,) = filled.lines()
    right = "100% of 80 labelled ones right, each left out; 52% would be by the commonest category"
    assert line == f"20 missing categories predicted from the embedding ({right})"
    few = fill_categories(rows[:30], partly[:30])
    assert few.categories == tuple("other" if name is None else name for name in partly[:30])
    assert (few.classifier, few.n_predicted, few.n_other) == (None, 0, 6)
    wanted = "no classifier could be fitted; label at least 40 queries, of two categories or more"
    assert few.lines() == [f"6 queries without a category count as other, and so will those routed: {wanted}"]
    assert fill_categories(rows[:30], names[:30]).lines() == [
        f"queries without a category will be taken as other when they are routed: {wanted}"
    ]
    assert fill_categories(rows, names).lines() == []


def test_labels_that_embeddings_do_not_tell_are_not_predicted() -> None:
    rows, codes = clusters(400, 16, 2, noise=1.0)
    skewed = np.where(np.random.default_rng(1).permutation(400) < 40, "law", "math").tolist()
    for n_labelled in (80, 390):
        filled = fill_categories(rows, [*skewed[:n_labelled], *[None] * (400 - n_labelled)])
        assert (filled.n_predicted, filled.n_other) == (0, 400 - n_labelled)
        (line,) = filled.lines()
        why = "predictions from the embedding are right no more often than the commonest category"
        assert line == f"{400 - n_labelled} queries without a category count as other: {why}"
    told = [["law", "math"][code] for code in codes]
    assert fill_categories(rows, [*told[:80], *[None] * 320]).n_predicted == 320


def test_given_ones_stay_and_missing_ones_become_probabilities() -> None:
    rows, names = clusters(300, 30, 4, noise=4.0)
    classifier = CategoryClassifier.fit(rows, names)
    assert classifier.temperature > 0.0
    codes = np.where(np.arange(300) % 2 == 0, names, MISSING)
    resolved = resolve_categories(rows, codes, classifier)
    assert (resolved.predicted == (codes == MISSING)).all()
    assert not resolved.assumed.any()
    np.testing.assert_array_equal(resolved.categories[::2], np.eye(15)[names[::2]])
    np.testing.assert_array_equal(resolved.categories[1::2], classifier.shares(rows[1::2]))
    assert (resolved.codes[::2] == names[::2]).all()
    assert resolve_categories(rows, names, classifier).categories.ndim == 1
    assumed = resolve_categories(rows, codes, None)
    assert assumed.codes[1::2].tolist() == [OTHER] * 150
    assert (assumed.assumed == (codes == MISSING)).all()
