"""Queries that belong together: near-duplicates, turns of a conversation, fills of a template.

Held-out figures are only honest if what belongs together is held out together: else a selector has seen nearly the
same query in training. And a hundred fills of one template say less than a hundred queries, so that intervals count
groups (`vsr.evaluation.statistics.intervals`).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vsr.prior.category_means import IntArray
from vsr.training.folds import stratified_folds

#: Two queries above this cosine are one query in two wordings.
NEAR_DUPLICATE = 0.95
# Share of the queries that is no group any more: a fold of five would not hold it.
_CROWD = 0.2
# Rows of a block of products: 1,024 x 20,000 float32 are 80 MB.
_BLOCK = 1024
_BLOCK_COLUMNS = 20_000


def query_groups(embeddings: npt.NDArray[np.float32], named: Sequence[str | None] | None) -> IntArray:
    """Number the groups of queries; a query that belongs to none is a group of its own.

    Near-duplicates of near-duplicates belong together too. Where a fifth of all queries hang together, being near
    says nothing (as in a space of few dimensions), and only what has the same name belongs together.

    Args:
        embeddings: (n_queries, dim) float32, unit rows or not.
        named: the group that the records give each query, None = none given; None: no query has one.

    Returns:
        (n_queries,) int64, numbered by first appearance.
    """
    n_queries = len(embeddings)
    by_name = np.arange(n_queries)
    if named is not None:
        first: dict[str, int] = {}
        by_name = np.array([row if name is None else first.setdefault(name, row) for row, name in enumerate(named)])
    pairs = _near_pairs(embeddings)
    joined = _joined(by_name, pairs)
    sizes = np.bincount(joined, minlength=n_queries)
    is_crowd = sizes[joined] > max(_CROWD * n_queries, 1.0)
    if is_crowd.any():
        joined = _joined(by_name, pairs[~is_crowd[pairs[:, 0]]])
    return np.unique(joined, return_inverse=True)[1].reshape(-1)


def grouped_folds(codes: IntArray, groups: IntArray, n_folds: int, generator: np.random.Generator) -> IntArray:
    """Deal whole groups to folds, evenly by category (a group's is that of its first query).

    Args:
        codes: (n_queries,) category of each query.
        groups: (n_queries,) of `query_groups`.
        n_folds: number of folds, at most the number of groups.
        generator: shuffles the groups of each category.

    Returns:
        (n_queries,) int64 fold of each query.
    """
    firsts = np.unique(groups, return_index=True)[1]
    return np.asarray(stratified_folds(codes[firsts], n_folds, generator)[groups])


def _near_pairs(embeddings: npt.NDArray[np.float32]) -> IntArray:
    """(n_pairs, 2) rows of near-duplicates, by blocks of products: memory stays bounded."""
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = np.ascontiguousarray(embeddings / np.where(norms > 0.0, norms, 1.0), dtype=np.float32)
    found = [np.zeros((0, 2), dtype=np.int64)]
    for start in range(0, len(unit), _BLOCK):
        block = unit[start : start + _BLOCK]
        for left in range(start, len(unit), _BLOCK_COLUMNS):
            rows, columns = np.nonzero(block @ unit[left : left + _BLOCK_COLUMNS].T > NEAR_DUPLICATE)
            pairs = np.stack([rows + start, columns + left], axis=1)
            found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.concatenate(found)


def _joined(labels: IntArray, pairs: IntArray) -> IntArray:
    """Connect what a pair or a common label connects: the smallest row of each component, by union-find."""
    parent = list(range(len(labels)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    named = np.flatnonzero(labels != np.arange(len(labels)))
    for one, other in (*zip(named.tolist(), labels[named].tolist(), strict=True), *pairs.tolist()):
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    return np.array([root(row) for row in range(len(labels))], dtype=np.int64)
