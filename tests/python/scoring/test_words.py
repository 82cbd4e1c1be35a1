"""Answers in words, code and concepts: F1, equality, containment, coverage."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.scoring import score_response


def squad_f1(prediction: str, truth: str) -> float:
    """The published normalisation and score, step by step."""

    def tokens(text: str) -> list[str]:
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    mine, its = tokens(prediction), tokens(truth)
    if not mine or not its:
        return float(mine == its)
    n_common = sum((Counter(mine) & Counter(its)).values())
    if n_common == 0:
        return 0.0
    precision, recall = n_common / len(mine), n_common / len(its)
    return 2 * precision * recall / (precision + recall)


@given(
    st.text(alphabet="abcdefgh theanTHE ,.!?'\"()-;", max_size=60),
    st.text(alphabet="abcdefgh theanTHE ,.!?'()", max_size=60),
)
def test_f1_is_that_of_squad(response, truth):
    if truth.strip():
        score = score_response(response, truth, metric="f1_score")
        assert score.value == pytest.approx(squad_f1(response, truth), abs=1e-12)


@pytest.mark.parametrize(
    ("response", "truth", "value"),
    [
        ("Paris", "Paris", 1),
        ("The Paris!", "paris", 1),
        ("the cat sat", "cat", 2 / 3),
        ("cat cat", "cat", 2 / 3),
        ("cat", "cat cat", 2 / 3),
        ("dog", "cat", 0),
        ("", "cat", 0),
        ("<think>cat</think>dog", "cat", 0),
        ("<think>dog</think>cat", "cat", 1),
        ("3.5", "35", 0),
        ("1,000 people", "1000 people", 1),
        ("“Paris”", "Paris", 1),
        ("巴黎是首都", "首都是巴黎", 1),
        ("the", "a", 1),
    ],
)
def test_f1_of_words(response, truth, value):
    score = score_response(response, truth, metric="f1_score")
    assert score.value == pytest.approx(value)
    assert (score.kind, score.extracted) == ("text", None)


@pytest.mark.parametrize(
    ("response", "truth", "value"),
    [
        ("Paris", "paris", 1),
        ("The Paris.", "Paris", 1),
        ("Paris, France", "Paris", 0),
        ("3.5", "35", 0),
        ("1,000", "1000", 1),
        ("-5", "5", 0),
        ("", "Paris", 0),
        ("The", "The", 1),
        ("?", "?", 1),
        ("?", "!", 0),
        ("<think>no</think> Paris", "Paris", 1),
    ],
)
def test_equality_after_normalisation(response, truth, value):
    score = score_response(response, truth, metric="exact_match")
    assert (score.value, score.kind) == (value, "exact")


@pytest.mark.parametrize(
    ("response", "truth", "value"),
    [
        ("The capital is Paris.", "Paris", 1),
        ("The capital is PARIS!", "paris", 1),
        ("Parisian", "Paris", 0),
        ("Comparison", "Paris", 0),
        ("It costs 15 dollars", "5", 0),
        ("It costs 3.5 dollars", "35", 0),
        ("It costs 3.5 dollars", "3.5", 1),
        ("In New-York City", "New York", 1),
        ("In the New York area", "New York area", 1),
        ("The U.S. government", "U.S.", 1),
        ("York New", "New York", 0),
        ("", "Paris", 0),
        ("<think>Paris</think> I do not know", "Paris", 0),
        ("The answer is A", "A", 1),
        ("法国的首都是巴黎。", "巴黎", 1),
    ],
)
def test_containment_at_word_boundaries(response, truth, value):
    score = score_response(response, truth, metric="contains")
    assert (score.value, score.kind) == (value, "contains")


CODE = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("response", "truth", "value"),
    [
        (CODE, CODE, 1),
        (f"```python\n{CODE}```", CODE, 1),
        (f"Here it is:\n\n```python\n{CODE}```\nIt adds two numbers.", CODE, 1),
        (f"```python\n{CODE}", CODE, 1),
        (CODE, f"```python\n{CODE}```", 1),
        ("def add(a,b): return a+b", CODE, 1),
        ("x", "X", 0),
        ("a == b", "a = b", 2 / 3),
        ("a + b", "a - b", 2 / 3),
        ("", CODE, 0),
        ("<think>x</think>", "x", 0),
        ("__import__('os').system('echo executed >&2')", "x", 0),
    ],
)
def test_f1_of_code(response, truth, value, capfd):
    score = score_response(response, truth, metric="code_eval")
    assert score.value == pytest.approx(value)
    assert score.kind == "code"
    assert capfd.readouterr().err == ""


def test_code_is_scored_partly():
    score = score_response("def add(x, y):\n    return x + y\n", CODE, metric="code_eval")
    assert 0.5 < score.value < 1


@pytest.mark.parametrize(
    ("response", "truth", "value"),
    [
        ("A dog catches a frisbee.", "dog, catch, frisbee", 1),
        ("The dogs caught two frisbees.", "dog, catch, frisbee", 1),
        ("A dog runs.", "dog, catch, frisbee", 1 / 3),
        ("He is riding and stopped.", "ride, stop", 1),
        ("She carries ladies' bags.", "carry, lady", 1),
        ("The dogma of catchment.", "dog, catch", 0),
        ("A dog", "['dog', 'cat']", 0.5),
        ("A dog", "dog#cat", 0.5),
        ("A dog", "dog cat", 0.5),
        ("A dog", "dog, dog, cat", 0.5),
        ("An ice cream, please", "ice cream", 1),
        ("Two ice creams and a cone", "ice cream, cone", 1),
        ("A cream on ice", "ice cream, ice", 0.5),
        ("", "dog", 0),
        ("<think>dog</think>cat", "dog, cat", 0.5),
    ],
)
def test_share_of_the_concepts_used(response, truth, value):
    score = score_response(response, truth, metric="commongen_coverage")
    assert score.value == pytest.approx(value)
    assert score.kind == "coverage"
