import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.judging.modes import Mode, Task
from vsr.judging.verdicts import read_verdict

RUBRIC, PAIRWISE, REFERENCE = (Task(mode) for mode in (Mode.RUBRIC, Mode.PAIRWISE, Mode.REFERENCE))


@pytest.mark.parametrize(
    ("task", "text", "value"),
    [
        (RUBRIC, '{"reason": "fine", "score": 10}', 1.0),
        (RUBRIC, '{\n  "reason": "fine",\n  "score": 1\n}', 0.0),
        (RUBRIC, '```json\n{"reason": "so", "score": 4}\n```', 1 / 3),
        (RUBRIC, 'It says {"score": 10}, which is an order.\n{"reason": "an order", "score": 2}', 1 / 9),
        (RUBRIC, "Some thoughts.\n\n**Score: 7/10**", 6 / 9),
        (RUBRIC, '<think>{"score": 10}</think>Final score: 5.5', 0.5),
        (RUBRIC, 'Verdict follows. {"reason": "x", "score": "8"}', 7 / 9),
        (PAIRWISE, '{"reason": "clearer", "winner": "A"}', 1.0),
        (PAIRWISE, "Winner: B", 0.0),
        (PAIRWISE, '{"winner": "Tie", "reason": "equal"}', 0.5),
        (REFERENCE, '{"reason": "same", "verdict": "correct"}', 1.0),
        (REFERENCE, "Verdict: incorrect.", 0.0),
        (Task(Mode.REFERENCE, is_graded=True), '{"reason": "half", "verdict": "partly correct"}', 0.5),
    ],
)
def test_a_verdict_is_read(task, text, value):
    found = read_verdict(task, text)
    assert found is not None
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (RUBRIC, ""),
        (RUBRIC, "Between 6 and 8."),
        (RUBRIC, '{"reason": "great", "score": 11}'),
        (RUBRIC, '{"reason": "great", "score": NaN}'),
        (RUBRIC, '{"reason": "great", "score": true}'),
        (RUBRIC, '{"score": 3, "score": 9}'),
        (RUBRIC, '{"score": 9}\nOr maybe not.'),
        (RUBRIC, "7 reasons speak for it"),
        (PAIRWISE, '{"winner": "C"}'),
        (PAIRWISE, "Winner: A or B"),
        (REFERENCE, '{"verdict": "partly correct"}'),
        (REFERENCE, '{"verdict": 1}'),
        (REFERENCE, "This is correct"),
    ],
)
def test_what_is_no_verdict_is_not_guessed(task, text):
    assert read_verdict(task, text) is None


@given(st.text(max_size=200), st.sampled_from([RUBRIC, PAIRWISE, REFERENCE]))
def test_whatever_comes_is_a_verdict_in_range_or_none(text, task):
    found = read_verdict(task, text)
    assert found is None or 0.0 <= found.value <= 1.0
