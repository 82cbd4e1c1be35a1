"""A verdict per decision."""

import json
from pathlib import Path

import numpy as np
import pytest

from pools import planted_pool
from vsr.choice.objective import Objective
from vsr.config import RouterConfig, load_config
from vsr.data.categories import CATEGORIES
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.decisions import DecisionsEvaluation, judge_decisions
from vsr.evaluation.held import JUDGED, Held
from vsr.evaluation.settings import ComparisonSettings

OBJECTIVE = Objective(quality_weight=1.0)


@pytest.fixture(scope="module")
def held() -> Held:
    pool = planted_pool(400)
    settings = ComparisonSettings(algorithms=("knn",), splits=1, objective=OBJECTIVE)
    return hold_out(pool.features, pool.outcomes, settings)[0]


def config_of(folder: Path, held: Held, decisions: list[dict[str, object]]) -> RouterConfig:
    path = folder / "config.yaml"
    names = dict.fromkeys([*held.outcomes.models, "unmeasured"])
    path.write_text(json.dumps({"model_config": {name: {} for name in names}, "decisions": decisions}))
    return load_config(path)


def decision(name: str, models: tuple[str, ...], *conditions: dict[str, str], **more: object) -> dict[str, object]:
    rules = {"rules": {"operator": "AND", "conditions": list(conditions)}} if conditions else {}
    return {"name": name, "modelRefs": [{"model": model} for model in models], **rules, **more}


def judged(config: RouterConfig, held: Held) -> DecisionsEvaluation:
    return judge_decisions(config.decisions, {"knn": held}, "knn", OBJECTIVE, "given", seed=0)


def test_one_decision_of_everything_is_the_whole_comparison(held: Held, tmp_path: Path) -> None:
    found = judged(config_of(tmp_path, held, [decision("all", held.outcomes.models)]), held)
    columns = held.choices[JUDGED].given[:, held.rows]
    only = found.decisions[0]
    assert found.level == 0.95
    assert (only.n_queries, only.share, found.n_outside) == (400, 1.0, 0)
    shares = np.bincount(columns.ravel(), minlength=held.outcomes.n_models) / columns.size
    assert only.selection == {held.outcomes.models[j]: shares[j] for j in np.argsort(-shares) if shares[j]}
    assert only.quality == pytest.approx(held.outcomes.quality[np.arange(400), columns].mean())


def test_queries_fall_into_the_first_decision_whose_rules_hold(held: Held, tmp_path: Path) -> None:
    codes, counts = np.unique(held.codes, return_counts=True)
    first, second = (CATEGORIES[int(code)] for code in codes[:2])
    models = held.outcomes.models
    config = config_of(
        tmp_path,
        held,
        [
            decision("second", models[:2], {"type": "domain", "name": second}),
            decision("first", models[:1], {"type": "domain", "name": first}, priority=5),
            decision("both", models, {"type": "domain", "name": first}, priority=1),
            decision("urgent", models[1:], {"type": "keyword", "name": "urgent"}, priority=9),
        ],
    )
    found = {each.name: each for each in judged(config, held).decisions}
    assert list(found) == ["urgent", "first", "both", "second"]
    assert (found["urgent"].kind, found["urgent"].n_queries) == ("too_few", 0)
    assert found["urgent"].unknown_signals == ("keyword",)
    assert (found["first"].kind, found["first"].n_queries) == ("one_model", counts[0])
    assert (found["both"].kind, found["both"].n_queries) == ("too_few", 0)
    assert found["second"].n_queries == counts[1]
    assert set(found["second"].selection or ()) <= set(models[:2])
    assert found["second"].best_single in models[:2]
    assert judged(config, held).n_outside == 400 - counts[:2].sum()


def test_more_decisions_make_every_interval_wider(held: Held, tmp_path: Path) -> None:
    codes = np.unique(held.codes)
    models = held.outcomes.models
    own = [decision(CATEGORIES[int(code)], models, {"type": "domain", "name": CATEGORIES[int(code)]}) for code in codes]
    together = judged(config_of(tmp_path, held, own), held)
    assert together.level == pytest.approx(1.0 - 0.05 / len(codes))
    for each in own:
        alone = judged(config_of(tmp_path, held, [each]), held).decisions[0]
        among = next(found for found in together.decisions if found.name == each["name"])
        assert (alone.gain is None) == (among.gain is None)
        if alone.gain is not None and among.gain is not None:
            assert among.gain.mean == alone.gain.mean
            assert among.gain.high > alone.gain.high


def test_offered_models_without_records_are_named(held: Held, tmp_path: Path) -> None:
    config = config_of(tmp_path, held, [decision("all", (*held.outcomes.models[:2], "unmeasured"))])
    only = judged(config, held).decisions[0]
    assert only.unmeasured == ("unmeasured",)
    assert only.models == held.outcomes.models[:2]
