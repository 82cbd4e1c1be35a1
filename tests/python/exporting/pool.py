"""A small pool in which the category, the text and the latency all matter, with selectors of all five algorithms."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vsr.choice.objective import EfficiencyScale, Objective, measured_utilities
from vsr.data.outcomes import Outcomes
from vsr.exporting import HeldOutQueries
from vsr.exporting.export import WRITERS
from vsr.features import build_features
from vsr.persistence import Artefact, load_artefact, save_selectors
from vsr.training.trainer import Trainer

MODELS = ("newton", "cicero", "darwin")
CATEGORIES = ("math", "law", "engineering", "computer science")
WIDTH = 12
OBJECTIVE = Objective(quality_weight=0.8)


@dataclass(frozen=True, eq=False)
class Exportable:
    """Artefacts and held-out queries."""

    artefacts: list[Artefact]
    held_out: HeldOutQueries


def make(folder: Path, n_queries: int = 900, n_trained: int = 600) -> Exportable:
    """Every model is good on one side of the space and in one category; the best ones are slow."""
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((n_queries, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codes = generator.integers(0, len(CATEGORIES), n_queries)
    ability = 1.5 * vectors[:, : len(MODELS)] + np.eye(4)[codes][:, : len(MODELS)]
    quality = 1.0 / (1.0 + np.exp(-2.0 * ability + 1.0))
    outcomes = Outcomes(
        queries=[f"query {number}" for number in range(n_queries)],
        categories=[CATEGORIES[code] for code in codes],
        models=MODELS,
        quality=np.clip(quality + 0.1 * generator.standard_normal(quality.shape), 0.0, 1.0),
        latency_s=np.tile([4.0, 1.0, 2.0], (n_queries, 1)),
    )
    features = build_features(vectors, outcomes.categories)
    trained = np.arange(n_trained)
    trainer = Trainer.prepare(features[trained], outcomes.take(trained), 0, OBJECTIVE)
    parameters: dict[str, dict[str, object]] = {"mlp": {"hidden_layers": (16,)}, "matrix_factorization": {}}
    selectors = [trainer.train(name, **parameters.get(name, {})) for name in WRITERS]
    paths = save_selectors(selectors, folder, objective=OBJECTIVE)
    held = np.arange(n_trained, n_queries)
    statistics = selectors[0].statistics
    utilities = measured_utilities(
        outcomes.quality[held],
        outcomes.latency_s[held],
        outcomes.cost_usd[held],
        EfficiencyScale.of(statistics.latency_s[-1], statistics.cost_usd[-1]),
        OBJECTIVE,
    )
    return Exportable([load_artefact(path) for path in paths], HeldOutQueries(features[held], utilities))
