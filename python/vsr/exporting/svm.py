"""SVM: our decisions with priors and efficiency as further support vectors, which only their category comes near.

With more support vectors than wanted, fewer take their place: centres of clusters of the queries, with coefficients
that give the same decisions on the queries by least squares (a reduced set, Burges 1996).
"""

from dataclasses import dataclass

import numpy as np

from vsr._core import kmeans_fit
from vsr.data.categories import CATEGORIES
from vsr.errors import ArtefactError
from vsr.exporting.files import Assignment, FileContent
from vsr.exporting.teacher import UtilityTerms
from vsr.prior.category_means import FloatArray
from vsr.selectors.svm import SvmPredictor

# Squared length of a row: unit embedding, and one category column of 1.
_SQUARED_LENGTH = 2.0
_RIDGE = 1e-8
# Decisions take more vectors than the choice of a nearest row, and no tree is built over them.
_VECTORS_PER_ROW = 2


@dataclass(frozen=True, eq=False)
class _Machines:
    """Decision of model j: `coefficients[:, j] . K(vectors, x) + biases[j]`.

    Attributes:
        vectors: (n, width) in the reader's layout.
        coefficients: (n, n_models) signed.
        biases: (n_models,).
        gamma: of the RBF kernel; None for the linear one.
    """

    vectors: FloatArray
    coefficients: FloatArray
    biases: FloatArray
    gamma: float | None


def write_svm(assignment: Assignment) -> FileContent:
    """Write one machine per model, in the form that the reader knows."""
    predictor = assignment.teacher.selector.predictor
    if not isinstance(predictor, SvmPredictor):
        raise ArtefactError("this is no selector of svm")
    usual = predictor.usual_decision
    by_category = None if usual is None else usual.rows(np.arange(len(CATEGORIES)))
    terms = UtilityTerms.of(assignment.teacher, raw_prior_share=0.0, usual=by_category)
    is_linear = predictor.setting.kernel == "linear"
    machines = _linear(assignment, predictor, terms) if is_linear else _rbf(assignment, predictor, terms)
    write = _documented if assignment.form.is_documented else _semantic_router
    n_rows = len(assignment.names) if is_linear else len(machines.vectors)
    return FileContent(write(machines, assignment), n_rows)


def _linear(assignment: Assignment, predictor: SvmPredictor, terms: UtilityTerms) -> _Machines:
    """One vector per model, priors in its category columns."""
    weights = terms.scale * (predictor.vectors.astype(np.float64).T @ predictor.coefficients)
    n_ours = len(CATEGORIES)
    columns = assignment.table(weights[-n_ours:] + terms.by_category)
    n_models = len(assignment.names)
    vectors = np.ascontiguousarray(np.vstack([weights[:-n_ours], columns]).T)
    return _Machines(vectors, np.eye(n_models), terms.scale * predictor.biases, None)


def _rbf(assignment: Assignment, predictor: SvmPredictor, terms: UtilityTerms) -> _Machines:
    form = assignment.form
    gamma = float(predictor.setting.gamma or 1.0)
    vectors, coefficients = form.rows(predictor.vectors), terms.scale * predictor.coefficients
    n_kept = _VECTORS_PER_ROW * assignment.max_rows
    if len(vectors) > n_kept:
        rows = form.rows(assignment.features)
        seed = int(assignment.generator.integers(2**31))
        centres, _, _ = kmeans_fit(rows.astype(np.float32), n_kept, 1, 10, 1e-3, seed)
        kept = centres.astype(np.float64)
        wanted = _kernel(rows, vectors, gamma) @ coefficients
        design = _kernel(rows, kept, gamma)
        gram = design.T @ design
        gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / n_kept
        vectors, coefficients = kept, np.asarray(np.linalg.solve(gram, design.T @ wanted))
    # A vector (0, 1 in a category's column) is at one distance from all queries of the category and at another from all
    # others, so that some weights on these vectors give every category its own constants.
    n_categories, dim = form.n_categories, vectors.shape[1] - form.n_categories
    signs = np.hstack([np.zeros((n_categories, dim)), np.eye(n_categories)])
    near, far = np.exp(-gamma * 1.0), np.exp(-gamma * 3.0)
    constants = assignment.table(terms.by_category)
    constants = constants - constants.mean(axis=1, keepdims=True)
    mixing = far + (near - far) * np.eye(n_categories)
    return _Machines(
        np.vstack([vectors, signs]),
        np.vstack([coefficients, np.linalg.solve(mixing, constants)]),
        terms.scale * predictor.biases,
        gamma,
    )


def _kernel(a: FloatArray, b: FloatArray, gamma: float) -> FloatArray:
    squared = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b) - 2.0 * a @ b.T
    return np.asarray(np.exp(-gamma * np.maximum(squared, 0.0)))


def _documented(machines: _Machines, assignment: Assignment) -> dict[str, object]:
    """Every model with support vectors of its own, signed alphas and a bias; gamma beside them."""
    used = [np.flatnonzero(column) for column in machines.coefficients.T]
    return {
        "algorithm": "svm",
        "trained": True,
        "kernel": "linear" if machines.gamma is None else "rbf",
        "gamma": 1.0 if machines.gamma is None else machines.gamma,
        "support_vectors": {str(j): machines.vectors[rows].astype(np.float32) for j, rows in enumerate(used)},
        "alphas": {str(j): machines.coefficients[rows, j] for j, rows in enumerate(used)},
        "biases": machines.biases,
        "model_names": list(assignment.names),
    }


def _semantic_router(machines: _Machines, assignment: Assignment) -> dict[str, object]:
    """One classifier per model; its reader brings queries to unit length, and subtracts `rho`."""
    length = float(np.sqrt(_SQUARED_LENGTH))
    fields: dict[str, object] = {
        "algorithm": "svm",
        "trained": True,
        "model_names": list(assignment.names),
        "kernel_type": "Linear" if machines.gamma is None else "Rbf",
        "feature_dim": machines.vectors.shape[1],
        "n_classes": len(assignment.names),
    }
    if machines.gamma is None:
        return fields | {
            "gamma": 1.0,
            "linear_classifiers": [
                {"model_name": name, "weights": weights * length, "rho": -bias}
                for name, weights, bias in zip(
                    assignment.names, machines.vectors, machines.biases.tolist(), strict=True
                )
            ],
            "rbf_classifiers": [],
        }
    gamma = machines.gamma * _SQUARED_LENGTH
    return fields | {
        "gamma": gamma,
        "linear_classifiers": [],
        "rbf_classifiers": [
            {
                "model_name": name,
                "alpha": np.ascontiguousarray(machines.coefficients[:, j]),
                "support_vectors": (machines.vectors / length).astype(np.float32),
                "rho": -float(machines.biases[j]),
                "gamma": gamma,
            }
            for j, name in enumerate(assignment.names)
        ],
    }
