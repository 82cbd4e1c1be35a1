"""Matrix factorization: priors and calibration slope folded into the one-hot rows of the projection.

A reader compares logits where we compare `prior + slope * sigmoid(logit)`, so the folded priors are divided by the
sigmoid's steepness: exact where the slope is 1 or 0 or the logits are small, and nearly so elsewhere.
"""

import numpy as np

from vsr.data.categories import CATEGORIES
from vsr.errors import ArtefactError
from vsr.exporting.files import Assignment, FileContent
from vsr.exporting.teacher import UtilityTerms
from vsr.features import split_features
from vsr.prior.category_means import FloatArray
from vsr.selectors.matrix_factorization import MatrixFactorizationPredictor
from vsr.selectors.optimization.adam import sigmoid


def write_matrix_factorization(assignment: Assignment) -> FileContent:
    """Write one factor per model, its column of the projection the model's weights."""
    predictor = assignment.teacher.selector.predictor
    if not isinstance(predictor, MatrixFactorizationPredictor):
        raise ArtefactError("this is no selector of matrix_factorization")
    terms = UtilityTerms.of(assignment.teacher, raw_prior_share=1.0)
    weights = predictor.projection.astype(np.float64) @ predictor.model_factors.T.astype(np.float64)
    biases = predictor.model_biases.astype(np.float64) + predictor.global_bias
    by_category = biases + weights[-len(CATEGORIES) :]
    if terms.scale > 0.0:
        by_category = by_category + terms.by_category / (terms.scale * _steepness(assignment, weights, biases)[:, None])
    else:
        weights, by_category = np.zeros_like(weights), terms.by_category
    projection = np.vstack([weights[: -len(CATEGORIES)], assignment.table(by_category)])
    projection -= projection.mean(axis=1, keepdims=True)  # what all models share touches no choice
    n_models = len(assignment.names)
    document = {
        "algorithm": "matrix_factorization",
        "trained": True,
        "num_factors": n_models,
        "input_dim": len(projection),
        "model_factors": dict(zip(assignment.names, np.eye(n_models), strict=True)),
        "projection": projection,
        "model_biases": dict.fromkeys(assignment.names, 0.0),
        "global_bias": 0.0,
        "model_names": list(assignment.names),
    }
    return FileContent(document, n_models)


def _steepness(assignment: Assignment, weights: FloatArray, biases: FloatArray) -> FloatArray:
    """Mean slope of the sigmoid at the logits of each category's two best models: (14,)."""
    utilities = assignment.teacher.utilities(assignment.features)
    quality = sigmoid(assignment.features.astype(np.float64) @ weights + biases)
    best = np.argsort(-utilities, axis=1)[:, :2]
    slopes = np.take_along_axis(quality * (1.0 - quality), best, axis=1).mean(axis=1)
    codes = split_features(assignment.features).codes
    overall = float(slopes.mean())
    return np.array(
        [slopes[codes == code].mean() if np.any(codes == code) else overall for code in range(len(CATEGORIES))]
    )
