"""A decision log of three models and feedback about it, made by chance."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

MODELS = ("good", "fair", "quick")
QUALITY = np.array([0.8, 0.7, 0.5])
EFFICIENCY = np.array([0.3, 0.5, 0.9])


def write_traffic(
    folder: Path, n: int = 6_000, *, explore: float = 0.3, margin: float = 0.05, run_id: str = "run", seed: int = 0
) -> tuple[Path, Path]:
    """Give decisions under quality weight 0.9, drawn within the margin, and one line of feedback about each."""
    generator = np.random.default_rng(seed)
    log, feedback = folder / "decisions.jsonl", folder / "feedback.jsonl"
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with log.open("w") as decisions, feedback.open("w") as said:
        for number in range(n):
            scores = np.clip(QUALITY + generator.normal(0.0, 0.03, 3), 0.0, 1.0)
            utilities = 0.9 * scores + 0.1 * EFFICIENCY
            best = int(utilities.argmax())
            near = np.flatnonzero(utilities[best] - utilities <= margin)
            taken = int(generator.choice(near)) if generator.random() < explore else best
            each = explore / len(near)
            propensity = 1.0 if len(near) == 1 or not explore else 1.0 - explore + each if taken == best else each
            line = {
                "id": f"id{number}",
                "time": (start + timedelta(seconds=number)).isoformat(),
                "candidates": MODELS,
                "scores": dict(zip(MODELS, scores.tolist(), strict=True)),
                "utilities": dict(zip(MODELS, utilities.tolist(), strict=True)),
                "model": MODELS[taken],
                "reason": "predicted" if taken == best else "explored",
                "objective": {"quality_weight": 0.9, "cost_share": 0.0},
                "propensity": propensity,
                "run_id": run_id,
                "category": "law",
                "category_source": "given",
                "text_hash": "0",
            }
            decisions.write(json.dumps(line | ({"explore_margin": margin} if explore else {})) + "\n")
            quality = float(generator.random() < scores[taken])
            said.write(json.dumps({"id": f"id{number}", "model": MODELS[taken], "quality": quality}) + "\n")
    return log, feedback
