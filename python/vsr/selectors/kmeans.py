"""KMeans: clusters of training queries, and what each cluster says of every model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from vsr._core import squared_distances
from vsr._mapped import MOST_ROWS_IN_MEMORY, blocks
from vsr.prior.category_means import FloatArray, centred_rows
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.base import Algorithm, FileContext, FileFields, Predictor, Row, SweepResult
from vsr.selectors.clustering import cluster_rows
from vsr.selectors.parameters import Auto, Described, Parameters, PositiveInt
from vsr.selectors.training_data import Features, TrainingData

_CLUSTERS = (8, 16, 32, 64)
_SHRINKAGE = (100.0, 30.0, 10.0)
_BANDWIDTH = (0.1, 0.05, 0.02)
# More starts find slightly denser clusters but no better routing; the sweep looks at four numbers of clusters per fold.
_SWEEP_STARTS = 1
_FINAL_STARTS = 4
_N_EXPLAINED = 3


class KMeansParameters(Parameters):
    """Parameters of KMeans, as they are given."""

    num_clusters: Annotated[
        PositiveInt | Auto,
        Described("a whole number of 1 or more, or 'auto'", "N", flag="--kmeans-clusters", label="clusters"),
    ] = Field("auto", description="Clusters; the documented system has 8.")


@dataclass(frozen=True)
class KMeansSetting:
    """Parameters of KMeans.

    Attributes:
        num_clusters: clusters that are formed.
        shrinkage: weight L of the prior against the queries of a cluster.
        bandwidth: squared distance at which a cluster counts 1/e of the nearest one.
    """

    num_clusters: int
    shrinkage: float
    bandwidth: float


@dataclass(frozen=True, eq=False)
class KMeansPredictor(Predictor):
    """Centroids and the shrunk mean residual of every model in every cluster.

    Attributes:
        setting: clusters, shrinkage and bandwidth.
        centroids: (n_clusters, n_features) float32.
        cluster_residual: (n_clusters, n_models) float64.
        cluster_quality: (n_clusters, n_models) float64, prior plus residual, for people to read.
        cluster_sizes: (n_clusters,) int64 training queries.
    """

    setting: KMeansSetting
    centroids: Features
    cluster_residual: FloatArray
    cluster_quality: FloatArray
    cluster_sizes: npt.NDArray[np.int64]

    @property
    def n_features(self) -> int:
        """Width of a feature row."""
        return int(self.centroids.shape[1])

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:  # noqa: ARG002 -- clusters hold it
        """Predict residuals: (n, n_features) float32 -> (n, n_models) float64."""
        return self.memberships(features) @ self.cluster_residual

    def quality(self, features: Features) -> FloatArray:
        """Mean quality of the clusters, weighted: (n, n_features) float32 -> (n, n_models) float64."""
        return self.memberships(features) @ self.cluster_quality

    def memberships(self, features: Features) -> FloatArray:
        """Weight of every cluster for every query, rows of sum 1: (n, n_clusters) float64."""
        return _memberships(squared_distances(features, self.centroids), self.setting.bandwidth)

    def explain(self, features: Features, models: Mapping[str, int]) -> dict[str, list[Row]]:
        """Show the nearest clusters and their mean qualities."""
        memberships = self.memberships(features)[0]
        shown: list[Row] = []
        for cluster in np.argsort(-memberships, kind="stable")[:_N_EXPLAINED].tolist():
            line: Row = {
                "cluster": f"{cluster}",
                "queries": int(self.cluster_sizes[cluster]),
                "weight": float(memberships[cluster]),
            }
            shown.append(line | {name: float(self.cluster_quality[cluster, column]) for name, column in models.items()})
        return {"Nearest clusters and their mean quality": shown}


class KMeans(Algorithm[KMeansParameters, KMeansSetting]):
    """Soft assignment to the nearest clusters of Linfa's KMeans."""

    name = "kmeans"
    file_names = ("kmeans_model.json",)
    arrays: ClassVar = {
        "centroids": "float32",
        "vsr.predictor.cluster_residual": "float64",
        "vsr.predictor.cluster_quality": "float64",
    }
    parameters_model = KMeansParameters

    def settings(self, n_rows: int) -> Sequence[KMeansSetting]:
        """Settings to choose from, simplest (fewest clusters, largest shrinkage) first."""
        numbers = [number for number in _CLUSTERS if 10 * number <= n_rows] or [min(2, n_rows)]
        if self.parameters.num_clusters != "auto":
            numbers = [self.parameters.num_clusters]
        return [
            KMeansSetting(number, shrinkage, bandwidth)
            for number in numbers
            for shrinkage in _SHRINKAGE
            for bandwidth in _BANDWIDTH
        ]

    def sweep(
        self,
        data: TrainingData,
        features: Features,
        prior: FloatArray,  # noqa: ARG002 -- clusters hold residuals
        settings: Sequence[KMeansSetting],
        seed: int,
    ) -> Iterator[SweepResult[KMeansSetting]]:
        """Cluster once for every number of clusters."""
        for number in sorted({setting.num_clusters for setting in settings}):
            centroids, labels = cluster_rows(data.features, number, _SWEEP_STARTS, seed)
            squared = squared_distances(features, centroids)
            for setting in settings:
                if setting.num_clusters == number:
                    means = _cluster_residuals(data, labels, len(centroids), setting.shrinkage)
                    yield SweepResult(setting, _memberships(squared, setting.bandwidth) @ means)

    def fit(self, data: TrainingData, setting: KMeansSetting, seed: int) -> KMeansPredictor:
        """Cluster the training queries and take the clusters' means."""
        centroids, labels = cluster_rows(data.features, setting.num_clusters, _FINAL_STARTS, seed)
        residual = _cluster_residuals(data, labels, len(centroids), setting.shrinkage)
        sizes = np.bincount(labels, minlength=len(centroids))
        priors = _sums(data.prior.rows(data.codes), labels, len(centroids)) / np.maximum(sizes, 1.0)[:, None]
        priors[sizes == 0] = data.prior.overall
        return KMeansPredictor(
            setting=setting,
            centroids=centroids,
            cluster_residual=residual,
            cluster_quality=np.clip(priors + residual, 0.0, 1.0),
            cluster_sizes=sizes,
        )

    @classmethod
    def to_fields(cls, predictor: KMeansPredictor, models: Sequence[str]) -> FileFields:
        """Write the centroids with the best model of each, and beside them every cluster's means."""
        documented = {
            "num_clusters": len(predictor.centroids),
            "centroids": predictor.centroids,
            "cluster_models": [models[column] for column in predictor.cluster_quality.argmax(axis=1)],
        }
        own = {
            "shrinkage": predictor.setting.shrinkage,
            "bandwidth": predictor.setting.bandwidth,
            "cluster_sizes": predictor.cluster_sizes.tolist(),
            "cluster_quality": predictor.cluster_quality,
            "cluster_residual": predictor.cluster_residual,
        }
        return FileFields(documented, own)

    @classmethod
    def models_in(cls, fields: Fields) -> tuple[str, ...] | None:
        """Names of the models that are best in a cluster."""
        return tuple(sorted(set(fields.strings("cluster_models"))))

    @classmethod
    def from_fields(cls, fields: Fields, context: FileContext) -> KMeansPredictor:
        """Read the clusters; without means the best model of each counts 1, the others 0."""
        centroids = fields.matrix("centroids", context.n_features)
        n_clusters = fields.get("num_clusters", int)
        if n_clusters != len(centroids):
            raise fields.error("num_clusters", f"is {n_clusters} but there are {len(centroids)} centroids")
        shape = (n_clusters, len(context.models))
        names = fields.strings("cluster_models")
        if len(names) != n_clusters:
            raise fields.error("cluster_models", f"has {len(names)} names for {n_clusters} clusters")
        best = fields.columns("cluster_models", names, context.models)
        if context.own is None:
            quality = (best[:, None] == np.arange(len(context.models))).astype(np.float64)
            # So narrow that only the nearest cluster counts, as documented.
            setting = KMeansSetting(n_clusters, 0.0, 1e-9)
            return KMeansPredictor(setting, centroids, np.zeros(shape), quality, np.zeros(n_clusters, dtype=np.int64))
        own = context.own
        bandwidth = own.get("bandwidth", float)
        if bandwidth <= 0.0:
            raise own.error("bandwidth", f"is {bandwidth}; expected a number above 0")
        sizes = own.integers("cluster_sizes", n_numbers=n_clusters)
        return KMeansPredictor(
            setting=KMeansSetting(n_clusters, own.get("shrinkage", float), bandwidth),
            centroids=centroids,
            cluster_residual=own.array("cluster_residual", shape),
            cluster_quality=own.array("cluster_quality", shape),
            cluster_sizes=np.array(sizes, dtype=np.int64),
        )


def _sums(values: FloatArray, labels: npt.NDArray[np.uint32], n_clusters: int) -> FloatArray:
    """Sum the rows of every cluster: (n, n_models) -> (n_clusters, n_models)."""
    sums = np.zeros((n_clusters, values.shape[1]))
    for block in blocks(len(values), MOST_ROWS_IN_MEMORY):
        sums += (labels[block] == np.arange(n_clusters)[:, None]).astype(np.float64) @ values[block]
    return sums


def _cluster_residuals(
    data: TrainingData, labels: npt.NDArray[np.uint32], n_clusters: int, shrinkage: float
) -> FloatArray:
    """Shrunk mean residual of every model in every cluster: (n_clusters, n_models), centred."""
    of_query = np.ones((data.n_queries, 1)) if data.weights is None else data.weights[:, None]
    sums = _sums(of_query * data.completed_residual, labels, n_clusters)
    return centred_rows(sums / np.maximum(_sums(of_query, labels, n_clusters) + shrinkage, 1e-12))


def _memberships(squared: npt.NDArray[np.float32], bandwidth: float) -> FloatArray:
    nearer = np.exp((squared.min(axis=1, keepdims=True) - squared) / bandwidth, dtype=np.float64)
    return np.asarray(nearer / nearer.sum(axis=1, keepdims=True))
