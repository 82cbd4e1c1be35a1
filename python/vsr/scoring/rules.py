"""Which rule scores a response, and the one function that applies it."""

import math
import re
from dataclasses import dataclass

from vsr.data.categories import normalise_category
from vsr.scoring.code import looks_like_code, score_code
from vsr.scoring.coverage import score_coverage
from vsr.scoring.metrics import folded_name, kind_of_metric
from vsr.scoring.multiple_choice import score_multiple_choice
from vsr.scoring.numeric import is_numeric_truth, score_numeric
from vsr.scoring.options import DEFAULT_LABELS, Options, read_options
from vsr.scoring.score import Kind, Score
from vsr.scoring.text import is_short_answer, score_contains, score_exact, score_text

Truth = str | int | float | None

UNSCORED = 0.5
"""What stands for a quality where there is none, as documented; training treats it as missing."""
# Characters. Every rule takes time in proportion to them: two seconds at most for so many, and a limit in characters
# holds in every thread and is the same on every machine.
_LONGEST_RESPONSE = 400_000
# Tasks whose ground truth is a letter even where the query does not list the options.
_LETTERED_TASK = re.compile(r"(?:c|cm)?mmlu|arc\b|gpqa|commonsense|openbook|medqa|race\b", re.IGNORECASE)
_NUMERIC_TASKS = frozenset({"gsm8k", "math", "math500", "math_500", "aime", "svamp"})
_LETTER = re.compile(r"[(\[]?[A-Za-z][)\]]?\.?")


@dataclass(frozen=True, slots=True)
class _Rule:
    """The rule that applies, and for multiple choice the options and the right one."""

    kind: Kind
    options: Options | None = None
    label: str | None = None


def scoring_rule(
    ground_truth: Truth,
    *,
    query: str | None = None,
    choices: object = None,
    metric: str | None = None,
    category: str | None = None,
    task_name: str | None = None,
) -> Kind:
    """Tell by which rule a response would be scored.

    A metric that is known by name decides; else the options, then what the ground truth is: a number, a short answer
    (`contains`), a text.

    Args:
        ground_truth: the right answer; None or blank where there is none.
        query: the query's text, which may list lettered options.
        choices: the options, in any form that `vsr.data.prompts.parse_choices` reads.
        metric: name of the rule; an unknown one counts as none.
        category: of the query; code is looked for in computer science alone.
        task_name: for example `gsm8k`.
    """
    return _rule(_as_text(ground_truth), query, choices, metric, category, task_name).kind


def score_response(
    response: str | None,
    ground_truth: Truth,
    *,
    query: str | None = None,
    choices: object = None,
    metric: str | None = None,
    category: str | None = None,
    task_name: str | None = None,
    performance: float | None = None,
) -> Score:
    """Score one response, in [0, 1]; whatever it holds, this raises nothing and executes nothing.

    Args:
        response: what the model answered; None counts as empty.
        ground_truth: the right answer; None or blank where there is none.
        query: the query's text, which may list lettered options.
        choices: the options, in any form that `vsr.data.prompts.parse_choices` reads.
        metric: name of the rule; an unknown one counts as none.
        category: of the query.
        task_name: for example `gsm8k`.
        performance: the record's own quality, which holds where there is no ground truth.
    """
    truth = _as_text(ground_truth)
    text = response if isinstance(response, str) else ""
    rule = _rule(truth, query, choices, metric, category, task_name)
    if rule.kind == "none":
        return _own(performance)
    if len(text) > _LONGEST_RESPONSE:
        return Score(0.0, rule.kind, unparsed=True)
    if rule.kind == "multiple_choice":
        assert rule.options is not None
        return score_multiple_choice(text, rule.label, rule.options)
    return _SCORERS[rule.kind](text, truth)


_SCORERS = {
    "numeric": score_numeric,
    "text": score_text,
    "code": score_code,
    "exact": score_exact,
    "contains": score_contains,
    "coverage": score_coverage,
}


def _rule(
    truth: str, query: str | None, choices: object, metric: str | None, category: str | None, task_name: str | None
) -> _Rule:
    if not truth:
        return _Rule("none")
    named = kind_of_metric(metric)
    if named is not None and named != "multiple_choice":
        return _Rule(named)
    options = read_options(query if isinstance(query, str) else None, choices)
    label = None if options is None else options.label_of(truth)
    is_letter = _LETTER.fullmatch(truth) is not None
    task = folded_name(task_name)
    if label is None and is_letter and (named is not None or choices or _LETTERED_TASK.match(task)):
        # The options are not known, or fewer than the ground truth says: then as many as it takes.
        return _lettered(truth, options)
    if label is not None or (options is not None and named is not None):
        return _Rule("multiple_choice", options, label)
    if named is not None:
        # Asked for as multiple choice, but there is nothing to choose from: yes and no, or a word.
        return _Rule("exact")
    if isinstance(category, str) and normalise_category(category) == "computer_science" and looks_like_code(truth):
        return _Rule("code")
    if is_numeric_truth(truth) or task in _NUMERIC_TASKS:
        return _Rule("numeric")
    # F1 says 0.33 to "The capital of France is Paris."
    return _Rule("contains" if not folded_name(metric) and is_short_answer(truth) else "text")


def _lettered(truth: str, options: Options | None) -> _Rule:
    label = truth.strip("()[]. ").upper()
    labels = DEFAULT_LABELS if options is None else options.labels
    if label in labels:
        return _Rule("multiple_choice", Options(labels), label)
    return _Rule("multiple_choice", Options((*labels, label)), label)


def _as_text(truth: object) -> str:
    if truth is None or (isinstance(truth, float) and math.isnan(truth)):
        return ""
    try:
        return str(truth).strip()
    except ValueError:  # a whole number of more digits than Python writes
        return ""


def _own(performance: object) -> Score:
    if isinstance(performance, int | float) and 0 <= performance <= 1:
        return Score(float(performance), "none")
    return Score(UNSCORED, "none", unscored=True)
