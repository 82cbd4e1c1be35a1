import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import ArrayLike, NDArray

from vsr.data.categories import CATEGORIES, MISSING, category_shares, most_probable, rows_of
from vsr.embedding.vectors import unit_rows
from vsr.errors import RecordError
from vsr.features import as_features, build_features, feature_dim, join_features, split_features
from vsr.features.classifier import CategoryClassifier

EMBEDDINGS = np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])


def test_the_layout() -> None:
    features = build_features(EMBEDDINGS, ["math", "Medicine", "astrology"], category_weight=0.5)
    assert features.dtype == np.float32
    assert features.flags.c_contiguous
    assert features.shape == (3, feature_dim(2)) == (3, 16)
    np.testing.assert_array_equal(features[:, :2], np.array([[0.6, 0.8], [0, 1], [0, 0]], dtype=np.float32))
    one_hot = np.zeros((3, 14))
    one_hot[[0, 1, 2], [CATEGORIES.index(name) for name in ("math", "health", "other")]] = 0.5
    np.testing.assert_array_equal(features[:, 2:], one_hot)


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(-(2.0**99), 2.0**99, width=32),
    ),
    st.floats(2.0**-7, 8.0, width=32),
    st.data(),
)
def test_split_takes_apart_what_build_put_together(
    embeddings: NDArray[np.float32], weight: float, data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(CATEGORIES), min_size=len(embeddings), max_size=len(embeddings)))
    features = build_features(embeddings, names, category_weight=weight)
    split = split_features(features)
    lengths = np.linalg.norm(split.embeddings.astype(np.float64), axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | ((lengths == 0) & ~embeddings.any(axis=1)))
    np.testing.assert_array_equal(split.embeddings, unit_rows(embeddings))
    assert [CATEGORIES[code] for code in split.codes] == names
    assert split.category_weight == np.float32(weight)


def test_without_weight_the_category_is_gone() -> None:
    split = split_features(build_features(EMBEDDINGS, ["math"] * 3, category_weight=0.0))
    assert split.codes.tolist() == [MISSING] * 3
    assert split.category_weight == 0.0


def test_missing_categories_are_predicted() -> None:
    vectors = np.repeat(np.eye(2, 4), 30, axis=0)
    classifier = CategoryClassifier.fit(vectors.astype(np.float32), np.repeat([1, 12], 30))
    features = build_features(np.eye(2, 4), [None, "law"], classifier=classifier)
    assert split_features(features).codes.tolist() == [1, CATEGORIES.index("law")]
    with pytest.raises(
        RecordError, match="2 of 3 queries have no category \\(the first is row 1\\) and there is no clas"
    ):
        build_features(EMBEDDINGS, ["math", None, " "])
    with pytest.raises(RecordError, match="embeddings have 2 dimensions; expected 4"):
        build_features(EMBEDDINGS, ["math", None, None], classifier=classifier)


def test_any_kind_of_numbers_and_order() -> None:
    expected = build_features(EMBEDDINGS, ["math"] * 3)
    for same in (
        EMBEDDINGS.tolist(),
        EMBEDDINGS.astype(np.float16),
        EMBEDDINGS.astype(int),
        np.asfortranarray(EMBEDDINGS),
    ):
        np.testing.assert_array_equal(build_features(same, ["math"] * 3), expected)


def test_embeddings_are_not_changed() -> None:
    embeddings = EMBEDDINGS.astype(np.float32)
    build_features(embeddings, ["math"] * 3)
    np.testing.assert_array_equal(embeddings, EMBEDDINGS)


@pytest.mark.parametrize(
    ("embeddings", "categories", "weight", "message"),
    [
        ([[1.0, np.nan]], ["math"], 1.0, "embeddings hold nan in row 0, column 1; expected finite numbers"),
        ([[1.0], [np.inf]], ["math"] * 2, 1.0, "embeddings hold inf in row 1, column 0"),
        ([[1e300]], ["math"], 1.0, "embeddings hold inf in row 0, column 0"),
        ([1.0, 2.0], ["math"], 1.0, "embeddings have shape \\(2,\\); expected one row a query"),
        (np.zeros((2, 0)), ["math"] * 2, 1.0, "embeddings have shape \\(2, 0\\)"),
        ([["a"]], ["math"], 1.0, "embeddings are no matrix of numbers"),
        ([[1.0], [1.0, 2.0]], ["math"] * 2, 1.0, "embeddings are no matrix of numbers"),
        ([[1.0]], ["math"] * 2, 1.0, "1 embeddings and 2 categories; expected one category a row"),
        ([[1.0]], "math", 1.0, "categories are the text 'math'; expected one name"),
        ([[1.0]], ["math"], -1.0, "category weight is -1.0; expected a number of 0 or more"),
        ([[1.0]], ["math"], np.nan, "category weight is nan; expected a number of 0 or more"),
    ],
)
def test_bad_input(embeddings: ArrayLike, categories: list[str], weight: float, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        build_features(embeddings, categories, category_weight=weight)


def test_features_are_checked() -> None:
    features = build_features(EMBEDDINGS, ["math"] * 3)
    assert as_features(features, dim=16) is features
    with pytest.raises(
        RecordError, match="features have 16 columns; expected 782 \\(768 of the embedding and 14 of the"
    ):
        as_features(features, dim=782)
    with pytest.raises(RecordError, match="features have 14 columns; expected more than the 14"):
        split_features(features[:, 2:])
    features[1, 3] = np.nan
    with pytest.raises(RecordError, match="features hold nan in row 1, column 3"):
        as_features(features)


def test_a_missing_category_leaves_the_embedding_alone() -> None:
    embeddings = np.array([[0.6, 0.8], [1.0, 0.0]], dtype=np.float32)
    codes = np.array([MISSING, 3])
    features = join_features(embeddings, codes, 0.5)
    assert features[0].tolist() == [*embeddings[0].tolist(), *[0.0] * len(CATEGORIES)]
    split = split_features(features)
    np.testing.assert_array_equal(split.embeddings, embeddings)
    np.testing.assert_array_equal(split.codes, codes)


@pytest.mark.parametrize("code", [-2, len(CATEGORIES)])
def test_what_is_no_category_code_is_refused(code: int) -> None:
    with pytest.raises(RecordError, match=f"category code {code}: expected 0 to 13, or -1 where it is missing"):
        join_features(np.ones((1, 4), dtype=np.float32), np.array([code]), 1.0)


def test_shares_stand_in_the_category_columns_and_come_back() -> None:
    embeddings = np.eye(4, 6, dtype=np.float32)
    shares = np.zeros((4, 15))
    shares[0, 3] = 1.0
    shares[1, [2, 5]] = 0.25, 0.75
    shares[2, 14] = 1.0
    shares[3, [0, 1, 13]] = 0.5, 0.25, 0.25
    features = join_features(embeddings, shares, 0.5)
    np.testing.assert_array_equal(features[:, 6:].sum(axis=1), [0.5, 0.5, 0.0, 0.5])
    split = split_features(features)
    assert split.codes.tolist() == [3, 5, MISSING, 0]
    assert split.category_weight == 0.5
    np.testing.assert_array_equal(split.categories, shares)
    known = join_features(embeddings, np.array([3, 5, MISSING, 0]), 0.5)
    np.testing.assert_array_equal(features[[0, 2]], known[[0, 2]])
    assert split_features(known).categories.tolist() == [3, 5, MISSING, 0]


def test_what_is_predicted_softly_is_a_mean_of_the_table() -> None:
    table = np.random.default_rng(0).random((15, 3))
    shares = np.zeros((2, 15))
    shares[0, 4] = 1.0
    shares[1, [2, 14]] = 0.25, 0.75
    rows = rows_of(table, shares)
    np.testing.assert_array_equal(rows[0], table[4])
    np.testing.assert_allclose(rows[1], 0.25 * table[2] + 0.75 * table[14], rtol=1e-15)
    np.testing.assert_array_equal(rows_of(table, np.array([4, MISSING])), table[[4, 14]])
    many = np.random.default_rng(1).dirichlet(np.ones(15), 3000)
    np.testing.assert_array_equal(rows_of(table, many)[2999:], rows_of(table, many[2999:]))
    assert rows_of(table, many[:0]).shape == (0, 3)
    np.testing.assert_array_equal(category_shares(np.array([4, MISSING])), np.eye(15)[[4, 14]])
    assert most_probable(shares).tolist() == [4, MISSING]
