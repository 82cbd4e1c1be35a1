import pytest

from vsr.scoring import score_response
from vsr.simulation import SIMULATED_MODELS, answer, generate_queries

QUERIES = generate_queries(1400, seed=9)


@pytest.mark.parametrize("model", SIMULATED_MODELS, ids=lambda model: model.name)
def test_the_scorer_finds_right_what_is_right_and_wrong_what_is_wrong(model):
    for query in QUERIES:
        question, given = query.question, answer(model, query)
        score = score_response(
            given.text,
            question.answer,
            query=question.text,
            choices=question.choices or None,
            metric=question.metric,
        )
        assert score.value == float(given.is_right), (question, given.text, score)
