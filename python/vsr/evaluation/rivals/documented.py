"""The algorithms of the documented system (vLLM Semantic Router, issue 986), as it describes them."""

import math

import numpy as np

from vsr.data.categories import CATEGORIES
from vsr.data.outcomes import Outcomes
from vsr.evaluation.rivals.rival import RivalFold
from vsr.features import split_features
from vsr.prior.category_means import IntArray, MeanTable
from vsr.selectors.kmeans import KMeans, KMeansSetting
from vsr.selectors.knn import Knn, KnnSetting
from vsr.selectors.training_data import TrainingData

_K = 5
_N_CLUSTERS = 8
# So narrow that only the nearest cluster counts.
_NEAREST_ALONE = 1e-9


class KnnByVotes:
    """The label that most of the 5 nearest training queries have, a label being the best model of a query.

    Most queries have several best models: the cheaper of them, then the faster, is the label.
    """

    name = "knn-votes"
    label = f"knn {_K}, by votes"

    def prepare(self, outcomes: Outcomes) -> float:  # noqa: ARG002 -- it looks at features alone
        """Nothing to prepare."""
        return 0.0

    def choose(self, fold: RivalFold) -> IntArray:
        """Count the labels of the neighbours; ties go to the label of the nearest of them."""
        data = _training_data(fold)
        predictor = Knn.of().fit(data, KnnSetting(_K, 0.0, 1.0), fold.seed)
        rows, _ = predictor.neighbours(fold.test_features)
        labels = fold.best_labels()[rows.astype(np.int64)]
        n_votes = (labels[:, :, None] == labels[:, None, :]).sum(axis=2)
        return np.asarray(labels[np.arange(len(labels)), n_votes.argmax(axis=1)])


class KMeansBestModel:
    """The best model of the nearest of 8 clusters, by mean utility (quality and speed) of its training queries."""

    name = "kmeans-best"
    label = f"kmeans {_N_CLUSTERS}, best model per cluster"

    def prepare(self, outcomes: Outcomes) -> float:  # noqa: ARG002 -- it looks at features alone
        """Nothing to prepare."""
        return 0.0

    def choose(self, fold: RivalFold) -> IntArray:
        """Cluster, then look the best model of each cluster up."""
        data = _training_data(fold)
        n_clusters = min(_N_CLUSTERS, data.n_queries)
        predictor = KMeans.of().fit(data, KMeansSetting(n_clusters, 0.0, _NEAREST_ALONE), fold.seed)
        of_train = predictor.memberships(fold.train_features).argmax(axis=1)
        best = fold.best_by_group(of_train, n_clusters)
        return np.asarray(best[predictor.memberships(fold.test_features).argmax(axis=1)])


def _training_data(fold: RivalFold) -> TrainingData:
    quality, codes = fold.train_outcomes.quality, split_features(fold.train_features).codes
    # Models that this part never measured have no place in a table of means; nothing here looks at it.
    seen = np.isfinite(quality).any(axis=0)
    prior = MeanTable.fit(quality[:, seen], codes, len(CATEGORIES), math.inf)
    return TrainingData(fold.train_features, codes, quality[:, seen], prior)
