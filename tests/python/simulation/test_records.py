from dataclasses import replace

import numpy as np
import pytest

from vsr.data.categories import CATEGORIES
from vsr.data.outcomes import Outcomes
from vsr.data.records import read_queries, read_records
from vsr.simulation import SIMULATED_MODELS, Kind, answer, generate_queries, simulate, write_queries, write_records

QUERIES = generate_queries(420, seed=1)


@pytest.mark.parametrize("model", SIMULATED_MODELS, ids=lambda model: model.name)
def test_answers_are_right_as_often_as_the_skill_says(model):
    chances = np.array([model.skill(query.category, query.kind, query.difficulty) for query in QUERIES])
    right = np.array([[answer(model, query, seed).is_right for query in QUERIES] for seed in range(5)])
    spread = np.sqrt((chances * (1 - chances)).sum() / 5) / len(QUERIES)
    assert right.mean() == pytest.approx(chances.mean(), abs=4 * spread)


def test_skill_falls_with_difficulty_and_depends_on_category_and_kind():
    maths = SIMULATED_MODELS[2]
    chances = [maths.skill("math", Kind.REASONING, difficulty) for difficulty in (0.0, 0.5, 1.0)]
    assert chances == sorted(chances, reverse=True)
    assert chances[1] == pytest.approx(maths.category_skills["math"])
    assert maths.skill("math", Kind.CALCULATION, 0.5) > chances[1] > maths.skill("math", Kind.FACT, 0.5)
    assert maths.skill("history", Kind.REASONING, 0.5) == pytest.approx(maths.base_skill)


def test_an_answer_depends_on_nothing_but_model_query_and_seed():
    model = SIMULATED_MODELS[0]
    forwards = [answer(model, query, 7) for query in QUERIES]
    backwards = [answer(model, query, 7) for query in reversed(QUERIES)]
    assert forwards == backwards[::-1]
    assert forwards != [answer(model, query, 8) for query in QUERIES]
    assert forwards != [answer(replace(model, name="twin"), query, 7) for query in QUERIES]


def test_no_model_is_best_everywhere():
    best = {
        category: max(SIMULATED_MODELS, key=lambda model: model.skill(category, Kind.REASONING, 0.5)).name
        for category in CATEGORIES
    }
    assert len(set(best.values())) >= 3
    quality = np.array(
        [[model.skill(query.category, query.kind, query.difficulty) for model in SIMULATED_MODELS] for query in QUERIES]
    )
    single = quality.mean(axis=0).max()
    codes = np.array([CATEGORIES.index(query.category) for query in QUERIES])
    table = np.mean([quality[codes == code].mean(axis=0).max() for code in range(len(CATEGORIES))])
    assert table > single + 0.04
    assert quality.max(axis=1).mean() > table + 0.02


def test_files_read_back_as_what_was_written(tmp_path):
    write_queries(tmp_path / "queries.jsonl", QUERIES)
    write_records(tmp_path / "records.jsonl", simulate(QUERIES, seed=2))

    queries = read_queries(tmp_path / "queries.jsonl")
    assert [query.prompt for query in queries] == [query.prompt for query in QUERIES]
    assert [query.ground_truth for query in queries] == [query.question.answer for query in QUERIES]

    outcomes = Outcomes.from_records(read_records(tmp_path / "records.jsonl"))
    assert list(outcomes.queries) == [query.prompt for query in QUERIES]
    assert list(outcomes.categories) == [query.category for query in QUERIES]
    assert set(outcomes.models) == {model.name for model in SIMULATED_MODELS}
    for column, name in enumerate(outcomes.models):
        model = next(model for model in SIMULATED_MODELS if model.name == name)
        answers = [answer(model, query, 2) for query in QUERIES]
        assert outcomes.quality[:, column].tolist() == [float(each.is_right) for each in answers]
        assert outcomes.latency_s is not None
        np.testing.assert_allclose(outcomes.latency_s[:, column], [each.latency_s for each in answers], atol=1e-4)
