"""Made-up queries that the speed benches share: topics in the vectors, and models that differ by topic."""

import numpy as np
import numpy.typing as npt

N_CATEGORIES = 14
DIM = 768


def features(n_rows: int, seed: int) -> npt.NDArray[np.float32]:
    """Make up feature rows, (n_rows, 782) float32, around the same 40 topics for every seed."""
    centres = np.random.default_rng(0).standard_normal((40, DIM))
    rng = np.random.default_rng(seed + 1)
    topics = rng.integers(0, len(centres), n_rows)
    embeddings = centres[topics] + 1.2 * rng.standard_normal((n_rows, DIM))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.hstack([embeddings, np.eye(N_CATEGORIES)[topics % N_CATEGORIES]]).astype(np.float32)


def outcomes(rows: npt.NDArray[np.float32], n_models: int) -> npt.NDArray[np.float64]:
    """Make up who succeeds, (n, n_models) of 0 and 1: a random direction of the features and much noise."""
    rng = np.random.default_rng(7)
    directions = rng.standard_normal((rows.shape[1], n_models))
    scores = rows @ directions + 1.5 * rng.standard_normal((len(rows), n_models))
    return np.asarray(scores > 0, dtype=np.float64)
