"""KMeans: our own centroids with our own choices as labels, moved and added to where hard assignment loses less."""

import numpy as np

from vsr.data.categories import CATEGORIES
from vsr.errors import ArtefactError
from vsr.exporting.files import Assignment, FileContent
from vsr.exporting.prototypes import condensed, fit_prototypes
from vsr.selectors.kmeans import KMeansPredictor

_MORE_PER_CLUSTER = 5
_LEAST_MORE = 64


def write_kmeans(assignment: Assignment) -> FileContent:
    """Label the centroids and move them."""
    predictor, form = assignment.teacher.selector.predictor, assignment.form
    if not isinstance(predictor, KMeansPredictor):
        raise ArtefactError("this is no selector of kmeans")
    n_ours = len(CATEGORIES)
    # A centroid mixes categories: its columns are added up where the reader knows one category for several.
    centroids = np.zeros((len(predictor.centroids), predictor.n_features - n_ours + form.n_categories))
    centroids[:, : -form.n_categories] = predictor.centroids[:, :-n_ours]
    for ours, column in enumerate(form.columns().tolist()):
        centroids[:, column - form.n_categories] += predictor.centroids[:, ours - n_ours]
    rows = form.rows(assignment.known)
    # Soft clusters and category priors say more than a nearest centroid can: more of them, where that helps.
    n_more = max(_LEAST_MORE, _MORE_PER_CLUSTER * len(centroids))
    more = condensed(rows, min(n_more, assignment.max_rows), form.n_categories, assignment.generator)
    prototypes = fit_prototypes(
        [centroids, np.vstack([centroids, more])],
        rows,
        assignment.teacher.utilities(assignment.known),
        assignment.generator,
    )
    document = {
        "algorithm": "kmeans",
        "trained": True,
        "num_clusters": len(prototypes.points),
        "centroids": prototypes.points.astype(np.float32),
        "cluster_models": [assignment.names[column] for column in prototypes.labels.tolist()],
        "model_names": list(assignment.names),
    }
    if not form.is_documented:
        document |= {"n_clusters": len(prototypes.points), "feature_dim": prototypes.points.shape[1]}
    return FileContent(document, len(prototypes.points))
