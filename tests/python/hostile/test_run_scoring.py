"""No response runs the scorer away: a bound on its work that holds in every thread and on every machine."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.command import Setting
from servers.scripted import Scripted, chat, json_response
from vsr.scoring import score_response
from vsr.scoring.expressions import evaluate, normalise_expression

LIMIT_S = 2.0  # of the processor


def seconds(response, truth, metric):
    started = time.thread_time()
    score = score_response(response, truth, metric=metric)
    return time.thread_time() - started, score


def nested(opening, closing, depth, first, second):
    return first if depth == 0 else opening + ",".join(
        [nested(opening, closing, depth - 1, first, second), nested(opening, closing, depth - 1, second, first)]
    ) + closing  # fmt: skip


INTRICATE = {
    "powers of sums": ("(x+y+z+w)^{9}(a+b+c+d)^{9}", "(x+y)^{9}(a+b)^{9}"),
    "large powers of sums": ("(a+b+c+d+f+g)^{25}", "(a+b+c+d+f+h)^{25}"),
    "a tower": ("9^{9^{9^{9^{9}}}}", "2^{9^{9^{9^{9}}}}"),
    "a tower of variables": ("x^{x^{x^{x^{x}}}}", "x^{x^{x^{x^{y}}}}"),
    "factorials": ("(99!)!!!!", "7"),
    "factorials of variables": ("x!!!!", "x!!!"),
    "many digits": ("9" * 399, "9" * 398 + "8"),
    "many brackets": ("(" * 190 + "x" + ")" * 190, "(" * 190 + "y" + ")" * 190),
    "sets in sets": (nested("\\{", "\\}", 5, "1", "2"), nested("\\{", "\\}", 5, "1", "3")),
    "intervals in sets": (nested("(", ")", 5, "x", "2"), nested("(", ")", 5, "x", "3")),
    "a set of all": (",".join(f"{n}x" for n in range(60)), ",".join(f"{n}x" for n in range(60, 0, -1))),
    "unions": ("∪".join(["(1,2)"] * 60), "∪".join(["(1,3)"] * 60)),
    "chains": ("=".join(["x+1"] * 90), "=".join(["1+y"] * 90)),
    "roots": ("\\sqrt{" * 60 + "x" + "}" * 60, "\\sqrt{" * 60 + "y" + "}" * 60),
    "fractions": ("\\frac{1}{" * 29 + "x" + "}" * 29, "\\frac{1}{" * 29 + "y" + "}" * 29),
}


@pytest.mark.parametrize(("mine", "its"), INTRICATE.values(), ids=INTRICATE)
def test_an_intricate_expression_takes_no_time_in_any_thread(mine, its):
    found = []
    thread = threading.Thread(target=lambda: found.append(seconds(f"\\boxed{{{mine}}}", its, "MATH")), daemon=True)
    thread.start()
    thread.join(20)
    assert found, "still at it after 20 s"
    ((spent, score),) = found
    assert spent < LIMIT_S
    assert score.value == 0


def test_more_parts_than_can_be_compared_are_unparsed():
    rows = [",".join(f"{n}+{m}x" for n in range(9)) for m in range(7)]
    mine, its = ("\\{" + ",".join(f"({row})" for row in order) + "\\}" for order in (rows, rows[::-1]))
    spent, score = seconds(f"\\boxed{{{mine}}}", its, "MATH")
    assert spent < LIMIT_S
    assert (score.value, score.unparsed) in ((1.0, False), (0.0, True))


PIECES = st.sampled_from(
    ["x", "y", "9", "99", "1e9", "!", "^", "^{", "{", "}", "(", ")", "\\{", "\\}", "[", "]", ",", "=", "<=", "∪", "+",
     "-", "*", "/",
     "\\frac", "\\frac{", "}{", "\\sqrt", "\\sqrt[", "\\ln", "e", "\\pi", "\\begin{matrix}", "\\end{matrix}",
     "\\\\", "&", "±", "∞", " ", ".", "10^{9999}", "\\text{or}", "π", "√", "%"]
)  # fmt: skip


@st.composite
def built(draw, depth=5):
    """An expression of expressions."""
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(["x", "y", "2", "x+1", "9!"]))
    first, second = draw(built(depth=depth - 1)), draw(built(depth=depth - 1))
    form = draw(st.sampled_from(["\\{%s,%s\\}", "(%s)^{%s}", "\\frac{%s}{%s}", "(%s,%s)", "%s=%s", "%s∪%s", "%s(%s)"]))
    return form % (first, second)


EXPRESSIONS = st.one_of(
    st.lists(PIECES, max_size=120).map("".join),
    built(),
)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS, st.sampled_from(["MATH", "numeric", "em_mc", "f1_score", "em", "code_eval"]))
def test_no_expression_runs_away(mine, its, metric):
    spent, score = seconds(f"So \\boxed{{{mine}}}", its, metric)
    assert spent < LIMIT_S
    assert 0 <= score.value <= 1
    evaluate(normalise_expression(mine))


WORDS = st.sampled_from(["answer is ", "(A) ", "not ", "<think>", "\n", "**", "```\n"])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.one_of(PIECES, WORDS), min_size=1, max_size=6),
    st.sampled_from(["MATH", "numeric", "em_mc", "f1_score", "em", "contains", "code_eval", "commongen_coverage"]),
)
def test_no_long_response_runs_away(pieces, metric):
    unit = "".join(pieces)
    spent, _ = seconds((unit * (400_000 // len(unit) + 1))[:400_000], "B" if metric == "em_mc" else "x, y", metric)
    assert spent < 2 * LIMIT_S  # half of it on a machine where nothing else runs


@pytest.mark.parametrize("metric", ["MATH", "em_mc", "f1_score", "em", "contains", "code_eval", "commongen_coverage"])
def test_a_response_beyond_the_limit_is_unparsed_at_once(metric):
    spent, score = seconds("The answer is (B). " * 440_000, "B", metric)  # 8 MiB, the largest body
    assert spent < 0.2
    assert (score.value, score.unparsed, score.extracted) == (0.0, True, None)


def test_a_truth_of_five_thousand_digits_raises_nothing():
    assert score_response("7", 10**5000).kind == "none"


def test_a_run_says_how_many_responses_were_unparsed(tmp_path):
    def reply(seen):
        return json_response(chat("4 " * 200_001 if "0?" in seen.prompt or seen.model == "b" else "4"))

    with Scripted(reply) as server:
        setting = Setting(tmp_path, server, 3)
        _, stderr = setting.run()
        _, again = setting.run()
    for text in (stderr, again):
        assert "a: 1 response without a committed answer, counted as 0." in text
        assert "b: 3 responses without a committed answer, counted as 0." in text
    assert sum(record.get("unparsed", False) for record in setting.records()) == 4
