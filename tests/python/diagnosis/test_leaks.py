import pytest

from vsr.diagnosis.leaks import answer_given_away


@pytest.mark.parametrize(
    ("query", "truth"),
    [
        ("2 + 2? Answer: 4", "4"),
        ("2 + 2? The answer is 4.", "4"),
        ("Which?\nA) x\nB) y\nThe correct answer is (B).", "B"),
        ("Which?\nA) x\nB) Paris\nSolution: B) Paris", "B"),
        ("How much?\n#### 18\n", "18"),
        ("Who?  ANSWER: Ada Lovelace", "ada lovelace"),
    ],
)
def test_an_answer_at_the_end_is_given_away(query: str, truth: str) -> None:
    assert answer_given_away(query, truth)


@pytest.mark.parametrize(
    ("query", "truth"),
    [
        ("2 + 2? Answer: ", "4"),
        ("2 + 2? Answer: 5", "4"),
        ("1 + 1? Answer: 4\n2 + 2?", "4"),
        ("The answer is hidden in: Ada wrote notes. Who wrote notes?", "Ada"),
        ("Which?\nA) x\nB) y", "B"),
        ("Answer: " + "word " * 100, "word"),
        ("What is the answer to everything?", "42"),
        ("Answer: x", " . "),
    ],
)
def test_other_texts_are_not(query: str, truth: str) -> None:
    assert not answer_given_away(query, truth)
