"""Days of traffic of a small training, written by the log that a server writes."""

import json
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from routing.subjects import MODELS, text_outcomes
from vsr.embedding import load_embedder
from vsr.evaluation.compare_and_train import TrainingSettings, compare_and_train
from vsr.routing import Request, Router
from vsr.routing.decision_log import Decision, DecisionLog

N_QUERIES = 300
A_DAY = 150
_DAY_S = 86_400.0
_BEGIN_S = 1_764_000_000.0


def train(folder: Path) -> Router:
    """Train on questions about three subjects."""
    embedder = load_embedder("hash", dim=64)
    outcomes = text_outcomes(N_QUERIES)
    settings = TrainingSettings(algorithms=("knn",))
    compare_and_train(outcomes, embedder.embed(outcomes.queries), embedder.fingerprint, folder, settings)
    return Router.load(folder)


@cache
def _asked() -> Sequence[str]:
    return text_outcomes(N_QUERIES + 10 * A_DAY).queries


def usual(day: int, number: int) -> str:
    """A question like those of the training."""
    return _asked()[N_QUERIES + day * A_DAY + number]


def foreign(day: int, number: int) -> str:
    """A question like none of them."""
    return f"Bake sourdough rye bread with seeds overnight, loaf {day} {number}"


def write_log(
    router: Router, path: Path, days: Sequence[Callable[[int, int], str]], *, with_text: bool = False
) -> list[tuple[str, str, float]]:
    """Log as many days as there are sources of questions; give id, model and predicted quality of each decision."""
    log = DecisionLog(path, key="k", with_text=with_text)
    found: list[tuple[str, str, float]] = []
    for day, ask in enumerate(days):
        requests = [Request(ask(day, number)) for number in range(A_DAY)]
        decisions = [
            Decision(f"{day}-{number}", request, choice, router, _BEGIN_S + day * _DAY_S + number * 500.0, 0.001)
            for number, (request, choice) in enumerate(zip(requests, router.route(requests), strict=True))
        ]
        for start in range(0, A_DAY, 50):  # of more at once a part is measured
            log.add(decisions[start : start + 50])
            while log.n_written < len(found) + min(start + 50, A_DAY):
                time.sleep(0.001)
        found += [(each.id, each.choice.model, each.choice.quality or 0.0) for each in decisions]
    log.close()
    return found


def write_feedback(
    path: Path, logged: Sequence[tuple[str, str, float]], worse: float = 0.0, slower: float = 1.0
) -> None:
    """Feed back answers as good and as slow as in training, or worse and slower ones of the first model."""
    generator = np.random.default_rng(0)
    lines = []
    for name, model, quality in logged:
        is_worse = model == MODELS[0]
        good = generator.random() < quality - (worse if is_worse else 0.0)
        latency_s = (1.0 + MODELS.index(model)) * (slower if is_worse else 1.0)
        lines.append({"id": name, "quality": float(good), "latency_s": latency_s * generator.lognormal(0.0, 0.1)})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
