"""Multiple choice: the option that a response commits to.

A response is searched for statements that name an option, each with a weight: an explicit answer ("the answer is (B)",
a box, "I choose B", "no wait, C") counts more than a conclusion ("so it must be B"), that more than an option at the
start of a line ("B) because ..."), and that more than an option's text. Among statements of one weight the last holds.
Statements that are negated, conditional or questions do not commit, nor does one that names several options.
"""

from vsr.scoring import label_grammar as grammar
from vsr.scoring.committed_text import before_next_question, committed_text
from vsr.scoring.option_text import named_by_text
from vsr.scoring.options import DEFAULT_LABELS, Options
from vsr.scoring.plain_text import plain_text
from vsr.scoring.score import Score
from vsr.scoring.statements import StatementFinder

_LONGEST_BARE = 60  # characters of a response that is nothing but a label


def score_multiple_choice(response: str, label: str | None, options: Options) -> Score:
    """Score a response: 1 if it commits to the right option, else 0.

    Args:
        response: what the model answered.
        label: the right option; None where the ground truth names none of the options, then nothing is right.
        options: what it could choose from.
    """
    extracted = extract_option(response, options)
    is_right = extracted is not None and extracted == label
    return Score(float(is_right), "multiple_choice", extracted, unparsed=extracted is None)


def extract_option(response: str, options: Options | None = None) -> str | None:
    """Find the option that a response commits to; None where there is none.

    Args:
        response: what the model answered.
        options: what it could choose from; A to J where nothing is known.

    Returns:
        The option's label.
    """
    options = options or Options(DEFAULT_LABELS)
    text = plain_text(committed_text(response)).strip()
    first = before_next_question(text)
    if len(first) < len(text):
        label = _commitment(first, options)
        if label is not None:
            return label
    return _commitment(text, options)


def _commitment(text: str, options: Options) -> str | None:
    if len(text) <= _LONGEST_BARE:
        bare = grammar.ONLY_A_LABEL.fullmatch(text)
        label = "" if bare is None else (bare["inside"] or bare["bare"]).upper()
        if label in options.labels:
            return label
    finder = StatementFinder(text, options)
    for last in (finder.last_explicit, finder.last_conclusion, finder.last_line):
        named = last()
        if named is not None:
            return named or None  # several options are no commitment
    return named_by_text(text, options) if options.texts else None
