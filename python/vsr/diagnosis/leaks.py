"""Whether a query gives its own answer away."""

import re

_TAIL = 300  # characters: an answer that was left in stands at the end
_ANNOUNCED = re.compile(
    r"(?:\b(?:answer|solution|ground[ _]truth|correct (?:option|choice)|label)\b(?:\s+is)?\s*[:=]?\s+|####\s*)"
    r"(?P<answer>[^\n:=]{1,200}?)\s*\Z",
    re.IGNORECASE,
)
_WORDS = ("answer", "solution", "truth", "correct", "label", "####")
_AROUND = " \t\n.,;:!*`'\"()[]{}$"


def answer_given_away(query: str, ground_truth: str) -> bool:
    """Tell whether a query ends in words like "The answer is" and its own ground truth.

    Worked examples before the question, and passages that hold the answer somewhere, are no leak.

    Args:
        query: the text.
        ground_truth: the right answer.
    """
    tail = query[-_TAIL:].lower()
    # The pattern takes 20 microseconds, and hardly any query holds one of its words.
    found = _ANNOUNCED.search(tail) if any(word in tail for word in _WORDS) else None
    if found is None:
        return False
    truth, given = (text.strip(_AROUND).casefold() for text in (ground_truth, found["answer"]))
    # "(B) Paris" names the option and its text.
    return bool(truth) and (
        given == truth or (len(truth) == 1 and re.match(rf"{re.escape(truth)}[).:]", given) is not None)
    )
