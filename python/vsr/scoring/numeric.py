"""Numeric answers: the number that a response commits to, compared as a number.

A boxed number, `#### 18` and `<answer>` come first, then "the answer is", then the last number of the response. A
correction ("no wait, it is 18") takes the place of what it corrects. Mathematical answers that are no numbers are
compared as expressions.
"""

import math
import re
from dataclasses import dataclass

from vsr.scoring.committed_text import before_next_question, committed_text
from vsr.scoring.expressions import TooIntricateError, evaluate, normalise_expression, same_expression
from vsr.scoring.numbers import Number, find_numbers, fold_numbers, parse_number, spelt_number
from vsr.scoring.plain_text import find_boxes, lower_in_place
from vsr.scoring.score import Score

_HASHES = re.compile(r"####\s*([^\n]+)")
_TAG = re.compile(r"<(?:final_?)?answer>\s*([^<]{1,400})", re.IGNORECASE)
_LINK = r"(?:is|are|was|were|would\sbe|should\sbe|must\sbe|will\sbe|comes\sto|equals|=|:|->|→|≈)"
# For text in lower case: a fifth of the time of ignoring case.
_CUE = re.compile(
    rf"""(?<![a-z])(?:(?:answer|ans|solution)(?:\s+(?:to|of|for|in)\s[^.\n?!:;=]{{1,80}}?)?
      | (?:final|total)\s(?:result|value|amount|number|cost|price|answer))
      (?:\s*\([^()\n]{{1,40}}\))? ["'*]{{0,3}} \s*{_LINK}(?![a-z])
      | (?:答案|答え|正解|答|정답|답|antwort|respuesta|réponse|risposta|resposta|ответ|antwoord|odpowiedź|jawaban
      | đáp\ án|cevap|الجواب|الإجابة|उत्तर)
      (?:\s?(?:final|finale|correcta|correcte|ist|es|est|è|é|la|là|adalah|هو|هي|है|是|为|為|は|은|는|:|-)){{0,4}}
    """,
    re.VERBOSE,
)
_CORRECTION = re.compile(
    r"(?<![A-Za-z])(?:wait|no,|oops|correction|sorry|scratch that|on second thought|i meant?|hold on"
    r"|i made an? (?:mistake|error)|my mistake|actually,?\s(?:it|that|this|the|no))(?![A-Za-z])",
    re.IGNORECASE,
)
_STATEMENT_END = re.compile(
    r"\n|[.!?;](?=\s|$)|(?<![A-Za-z])(?:because|since|where|which|so that|if|not counting)(?![A-Za-z])|[,(]\s*not\s"
)
_EQUALS = re.compile(r"[=≈](?!=)|(?<![A-Za-z])(?:equals|i\.e\.)(?![A-Za-z])")
_NEGATED = re.compile(
    r"(?<![A-Za-z])(?:not|isn't|never|instead of|rather than)\s+[$€£]?\s?-?\d[\d.,/%]*", re.IGNORECASE
)
_SEVERAL = re.compile(
    r"\s*(?:-|\.{2,3}|(?:to|or|and|through)(?![A-Za-z])|,\s(?:and\s|or\s)?)\s*(?:[A-Za-z]\s?=)?\s?[$€£]?\s?[-+]?\d",
    re.IGNORECASE,
)
# "Less than 18" is a bound, and "6 times 7" is worked out in the words that follow.
_BOUND = re.compile(
    r"(?<![A-Za-z])(?:less|fewer|smaller|more|greater|larger|higher|lower) than\s?[$€£]?\s?$", re.IGNORECASE
)
_OPERATOR = re.compile(r"\s(?:times|plus|minus|divided by|multiplied by|squared|cubed)(?![A-Za-z])", re.IGNORECASE)
_TWO_SOLUTIONS = re.compile(r"[=≈]\s?[-+]?[\d.,]+\s?(?:,|or|and|,\s?or|,\s?and)\s[A-Za-z]\s?[=≈]\s?[-+]?\d")
# "(a = 1)" and "when x = 3" say under which condition, not what.
_ASIDE = re.compile(r"(?<=\d)\s(?:\([^()\n]*=[^()\n]*\)|(?:when|for|with|given|at)\s.*)", re.DOTALL)
_FIRST_OF_TWO = re.compile(r"(?<![A-Za-z])(?:between|from|either)\s*[$€£]?\s?$", re.IGNORECASE)
_UNDER_FUNCTION = re.compile(r"(?:±|\\sqrt|√|sqrt|\\log|\\ln|log|_)\s?[{(\[]?\s?$")
_VARIABLE = re.compile(
    r"(?:\s?\\?(?:pi|π|√|\\sqrt|sqrt)|[xyznijabpqrtuvw](?![A-Za-z])|\s[xyz](?![A-Za-z])|\s?[*^]\s?[A-Za-z(\\])"
)
# What only counts or numbers something and is no result: steps, equations, rounding.
_NUMBERED = re.compile(
    r"(?:(?<![A-Za-z])(?:steps?|equations?|eqs?\.?|options?|questions?|problems?|figures?|fig\.|tables?|sections?|chapters?"
    r"|parts?|cases?|methods?|examples?|notes?|pages?|rule|theorem|version)\s*[#(:]?\s*|\[)$",
    re.IGNORECASE,
)
_PRECISION = re.compile(r"\s*(?:decimals?|significant|sig\.?\s?figs?|d\.?p\.?|places)(?![A-Za-z])", re.IGNORECASE)
_ORDINAL = re.compile(r"\s?(?:st|nd|rd|th)(?![A-Za-z])")
_LIST_MARK = re.compile(r"[.)](?=\s|$)")
_UNIT_WORDS = re.compile(r"[\s°%]*(?:(?:[A-Za-zµμΩÅ°/·^²³()\s.$€£,-]|(?<=[A-Za-z^])-?\d)*)")
_UNIT_IN_LATEX = re.compile(
    r"(?:\\[,;: ]|\s|~)*\\(?:text|mbox|mathrm|textrm)\s?\{[A-Za-z/ .]{1,40}\}(?:\^\{?[23]\}?)?\s*$"
)
_KNOWN_UNIT = re.compile(
    r"""\s?(?:[kcmµμnMG]?(?:m|g|s|l|L|J|W|V|A|N|Pa|Hz|eV|mol|b|B)|lbs?|oz|ft|in|mi|mph|rpm|ppm|min|hr?s?|K|°?[CF]|Ω|°|cal|kcal
    |atm|bar|psi|torr|[kcm]?m\s?/\s?h|(?:square|cubic)?\s?(?:kilo|centi|milli)?(?:met(?:er|re)s?|grams?|lit(?:er|re)s?|watts?|joules?)
    |inch(?:es)?|feet|foot|yards?|miles?|acres?|hectares?|seconds?|minutes?|hours?|days?|weeks?|months?|years?|degrees?
    |dollars?|cents?|euros?|pounds?|yen|rupees?|usd|eur|gbp|volts?|amperes?|amps?|ohms?|newtons?|hertz|pascals?|moles?|units?)
    (?:\s?/\s?(?:[kcm]?[mgs]|mol|hr?|hours?|seconds?|min|l|L|K))?(?:\^?[-]?[1-4])?""",
    re.VERBOSE,
)
_IT_IS = re.compile(r"^(?:it|that|this)(?:'s| is| would be| must be)\s+", re.IGNORECASE)
_MATHS = re.compile(r"\$([^$]{1,400})\$|\\\(((?:[^\\]|\\(?![()])){1,400})\\\)")
_LEAD = re.compile(
    r"[\s:*\"'“$(\[]*(?:(?:therefore|thus|hence|then|also|simply|just|exactly|approximately|about|roughly|around"
    r"|equal to|equals|given by|only|still|now)\s){0,2}[\s:*\"']*",
    re.IGNORECASE,
)
_LEAD_IN_BOX = re.compile(
    r"[\s$~≈=]*(?:(?:about|approximately|approx\.?|roughly|around|exactly|only)\s*)?(?:[A-Za-z]\w{0,9}\s?[=≈:]\s?)?[\s$~≈]*"
)
_NO_ANSWER = re.compile(
    r"(?:unknown|undefined|undetermined|unclear|not(?!\s[$€£]?\s?-?\d)|cannot|impossible|none|no)(?![A-Za-z])",
    re.IGNORECASE,
)
_SECOND_OF_TWO = re.compile(
    r"(?<![A-Za-z])(?<!\d\s)\d\s?-\s?[$€£]?$|\d,?\s(?:to|or|and)\s(?:[A-Za-z]\s?=\s?)?[$€£]?$|between\s\S+\sand\s[$€£]?$",
    re.IGNORECASE,
)
# What follows a result in its sentence and is none itself: a condition, or a part of what was counted.
_CONDITION = re.compile(
    r"(?<![,;:]\s)(?<![A-Za-z])(?:if|when|whenever|given(?: that)?|provided that|assuming|because|since|not counting)"
    r"(?![A-Za-z])(?:(?!(?<![A-Za-z])(?:so|then|now|thus|therefore|leaving|total|gets?|gives?|has|have|makes?|pays?)"
    r"(?![A-Za-z]))[^,;=:])*$",
    re.IGNORECASE,
)
# "6 is the largest divisor of 12 and 18": what comes first is the result.
_NAMED_FIRST = re.compile(r"\s(?:[A-Za-z]+\s){0,2}(?:is|are|was|were)\s(?:the|our|my|your)(?![A-Za-z])")
_PART_OF_IT = re.compile(r"\s(?:[A-Za-z]+\s)?of (?:whom|which|them|these|those)(?![A-Za-z])", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
_NO_BRACES = str.maketrans("", "", "{}")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s?\{(?:aligned|align\*?|split|equation\*?|gathered|gather\*?)\}|(?<!\\)&")
_BOLD_SPAN = re.compile(r"\*\*([^*\n]{1,80})\*\*|__([^_\n]{1,80})__")
_LIST_ENTRY = re.compile(r"\s*\d+[.)]\s*$")
_LAST_PART = 20_000  # characters in which the last number is looked for
_LONGEST_SENTENCE = 200  # characters of it in front of a number
_MOST_MARKS = 50  # read of one response; only one that repeats itself for ever has more
_MOST_WORDS = 4  # of a last line that is an answer such as "no solution", and no sentence
_SEVERAL_NUMBERS = Number(math.nan)


@dataclass(frozen=True, slots=True)
class _Commitment:
    content: str
    end: int
    is_marked: bool  # by a box, #### or a tag; else only by "the answer is"


def is_numeric_truth(truth: str) -> bool:
    """Tell whether a ground truth is a number, perhaps with a currency or unit, or behind `####` or in a box."""
    bare = truth_of(truth)
    if len(bare) > 100:
        return False
    if parse_number(bare) is not None:
        return True
    folded = fold_numbers(bare).strip()
    number = next(find_numbers(folded), None)
    return number is not None and number.start == 0 and _KNOWN_UNIT.fullmatch(folded[number.end :]) is not None


def truth_of(truth: str) -> str:
    """Take the answer out of a worked solution: what follows `####`, or what the last box holds."""
    marked = _HASHES.findall(truth)
    if marked:
        return str(marked[-1]).strip()
    boxes = find_boxes(truth)
    return boxes[-1].content.strip() if boxes else truth.strip()


def score_numeric(response: str, truth: str) -> Score:
    """Score a response against a numeric or other mathematical ground truth.

    Args:
        response: what the model answered.
        truth: the ground truth; a worked solution counts by what it marks as its answer.
    """
    try:
        return _score(response, truth_of(truth))
    except TooIntricateError:
        return Score(0.0, "numeric", unparsed=True)


def _score(response: str, wanted: str) -> Score:
    text = committed_text(response)
    commitments = _commitments(text)
    expected = _quantity(wanted)
    if expected is not None:
        number = _committed_number(text, commitments)
        if number is not None:
            # A list such as 2,1 reads like a number with a decimal comma.
            is_same = number.equals(expected) or ("," in wanted and _is_same_list(commitments, wanted))
            return Score(float(is_same), "numeric", number.text)
        # No number, but perhaps a formula that is equal to one.
        answer = _committed_expression(text, commitments, may_guess=False)
        if answer is not None and same_expression(answer, wanted):
            return Score(1.0, "numeric", expected.text)
        return Score(0.0, "numeric", unparsed=True)
    answer = _committed_expression(text, commitments, may_guess=True)
    if answer is None:
        return Score(0.0, "numeric", unparsed=True)
    return Score(float(same_expression(answer, wanted)), "numeric", normalise_expression(answer) or None)


def _is_same_list(commitments: list[_Commitment], wanted: str) -> bool:
    return bool(commitments) and commitments[-1].is_marked and same_expression(commitments[-1].content, wanted)


def extract_number(response: str) -> Number | None:
    """Find the number that a response commits to; None where there is none, or several ("5 to 10").

    Args:
        response: what the model answered.
    """
    text = committed_text(response)
    return _committed_number(text, _commitments(text))


def _commitments(text: str) -> list[_Commitment]:
    """List what the response marks as its answer, in order; "the answer is" counts only where nothing is marked."""
    hashes = [found for found in list(_HASHES.finditer(text))[-_MOST_MARKS:] if _quantity(found[1]) is not None]
    tags = list(_TAG.finditer(text))
    held = [_Commitment(found[1], found.end(), is_marked=True) for found in (*hashes, *tags)]
    held += [_Commitment(box.content, box.end, is_marked=True) for box in find_boxes(text)]
    if held:
        held.sort(key=lambda commitment: commitment.end)
        limit = len(before_next_question(text, held[0].end))
        return [commitment for commitment in held if commitment.end <= limit][-_MOST_MARKS:]
    ends = [cue.end() for cue in _CUE.finditer(lower_in_place(text))]
    limit = len(before_next_question(text, ends[0])) if ends else 0
    ends = [end for end in ends if end <= limit][-_MOST_MARKS:]
    return [_Commitment(_statement(text, end), end, is_marked=False) for end in ends]


def _committed_number(text: str, commitments: list[_Commitment]) -> Number | None:
    for commitment in reversed(commitments):
        number = _quantity(commitment.content) if commitment.is_marked else _number_in(commitment.content)
        is_refused = not commitment.is_marked and _NO_ANSWER.match(commitment.content) is not None
        if number is not None or commitment.is_marked or is_refused:
            corrected = _corrected(text, commitment.end)
            return _one(corrected if corrected is not None or is_refused else number)
    for number, end in (_alone_on_first_line(text), _in_bold(text)):
        if number is not None:
            return _one(_corrected(text, end) or number)
    return _one(_last_number(text))


def _alone_on_first_line(text: str) -> tuple[Number | None, int]:
    """Find a number that is given on a line of its own before anything else, and where that line ends."""
    first, _, rest = text.partition("\n")
    last = rest.rpartition("\n")[2]
    is_also_alone = len(last.split()) <= _MOST_WORDS and _quantity(last) is not None
    is_more = "=" in first or len(first.split()) > _MOST_WORDS or _LIST_ENTRY.fullmatch(first) is not None
    if not rest.strip() or is_also_alone or is_more:
        return None, 0
    return _quantity(first), len(first)


def _in_bold(text: str) -> tuple[Number | None, int]:
    """Find the one number that the last paragraph prints in bold, and where it ends."""
    start = text.rfind("\n\n") + 1
    found = [(span, _quantity(span[1] or span[2])) for span in _BOLD_SPAN.finditer(text, start)]
    numbers = [(number, span.end()) for span, number in found if number is not None]
    return numbers[-1] if numbers and len({number.value for number, _ in numbers}) == 1 else (None, 0)


def _one(number: Number | None) -> Number | None:
    return None if number is None or math.isnan(number.value) else number


def _statement(text: str, start: int) -> str:
    """Cut out what is said behind a cue: to the end of the sentence or line, without reasons."""
    lead = _LEAD.match(text, start, start + 200)
    start = start if lead is None else lead.end()
    window = text[start : start + 400]
    end = _STATEMENT_END.search(window)
    return window if end is None else window[: end.start()]


def _quantity(text: str) -> Number | None:
    """Read a text that is one number, with a unit in words perhaps, or that can be computed; None for any other."""
    whole = parse_number(text)
    if whole is not None:
        return whole
    if len(text) > 400:
        return None
    if "\\begin" in text:
        text = _ENVIRONMENT.sub(" ", text)
    exact, about, _ = text.replace("\\approx", "≈").partition("≈")
    if about and exact.strip(" $"):
        return _quantity(exact)
    text = _UNIT_IN_LATEX.sub("", text)
    value = evaluate(normalise_expression(text))
    if value is not None:
        return Number(value, is_percent=text.rstrip(" $}.").endswith("%"))
    folded = fold_numbers(text).translate(_NO_BRACES).strip()
    number = next(find_numbers(folded), None)
    if number is not None and _LEAD_IN_BOX.fullmatch(folded[: number.start]) is not None:
        rest = folded[number.end :]
        if _VARIABLE.match(rest) is None and _UNIT_WORDS.fullmatch(rest) is not None and not _SEVERAL.match(rest):
            return number
    _, equals, result = text.rpartition("=")
    return _quantity(result) if equals and result.strip() else _spelt_whole(folded)


def _number_in(statement: str) -> Number | None:
    """Find the number that a statement gives: the result behind its last equals sign, else its first number."""
    statement = _ASIDE.sub("", statement)
    if _TWO_SOLUTIONS.search(statement):
        return _SEVERAL_NUMBERS
    whole = _quantity(statement)
    if whole is not None:
        return whole
    folded = _NEGATED.sub(" ", fold_numbers(statement))
    parts = _EQUALS.split(folded)
    part = next((part for part in reversed(parts) if any(find_numbers(part))), "")
    for number in find_numbers(part):
        before, after = part[: number.start], part[number.end :]
        if _UNDER_FUNCTION.search(before) or _VARIABLE.match(after) or _NUMBERED.search(before):
            continue
        is_first = _SEVERAL.match(after) is not None and not number.equals(next(find_numbers(after), number))
        if is_first or _FIRST_OF_TWO.search(before) or _BOUND.search(before):
            return _SEVERAL_NUMBERS
        return None if _OPERATOR.match(after) else number
    return spelt_number(folded.strip())


def _corrected(text: str, start: int) -> Number | None:
    """Find the number that takes the place of one that was given before `start`."""
    limit = len(before_next_question(text, start))
    corrections = list(_CORRECTION.finditer(text, start, limit))
    for correction in reversed(corrections):
        number = _number_in(_statement(text, correction.end()))
        if number is not None:
            return number
    return None


def _last_number(text: str) -> Number | None:
    folded = _NEGATED.sub(" ", fold_numbers(text[-_LAST_PART:]))
    numbers = list(find_numbers(folded))
    ordinal = None
    for index in reversed(range(len(numbers))):
        number = numbers[index]
        before, after = folded[max(0, number.start - 40) : number.start], folded[number.end : number.end + 40]
        counts_only = (
            _NUMBERED.search(before)
            or _PRECISION.match(after)
            or _UNDER_FUNCTION.search(before)
            or _VARIABLE.match(after)
            or (_LIST_MARK.match(after) and not before.rpartition("\n")[2].strip() and len(numbers) > 1)
        )
        if counts_only or (len(numbers) > 1 and _is_aside(folded, number)):
            continue
        if _ORDINAL.match(after):
            ordinal = ordinal or number  # "the 18th" where nothing else is a number
            continue
        is_second = _SECOND_OF_TWO.search(before) is not None and not number.equals(numbers[index - 1])
        return _SEVERAL_NUMBERS if is_second or _BOUND.search(before) else number
    return ordinal or _spelt_whole(folded)


def _is_aside(text: str, number: Number) -> bool:
    """Tell whether a number only says more about another one in front of it: "18 if an egg costs 2"."""
    begin = max(0, number.start - _LONGEST_SENTENCE)
    for end in _SENTENCE_END.finditer(text, begin, number.start):
        begin = end.end()
    sentence = text[begin : number.start]
    first = next(find_numbers(sentence), None)
    if first is None:
        return False
    condition = _CONDITION.search(sentence, first.end)
    if condition is not None or _PART_OF_IT.match(text, number.end):
        return True
    return not sentence[: first.start].strip(" *$") and _NAMED_FIRST.match(sentence, first.end) is not None


def _spelt_whole(text: str) -> Number | None:
    """Read a short text that is a number in words, with a unit perhaps."""
    bare = text.strip(" .!\n\t$")
    number = spelt_number(bare) if len(bare) <= 80 else None
    return number if number is not None and re.fullmatch(r"(?:\s[A-Za-z/]+){0,3}", bare[number.end :]) else None


def _committed_expression(text: str, commitments: list[_Commitment], *, may_guess: bool) -> str | None:
    """Find the expression that a response commits to; one may guess: the last formula, or a short last line."""
    for commitment in reversed(commitments):
        formulas = [] if commitment.is_marked else _formulas(commitment.content)
        answer = (formulas[-1] if formulas else commitment.content).strip(" .*:\n\t")
        if answer and (commitment.is_marked or may_guess):
            return answer
    if not may_guess:
        return None
    formulas = _formulas(text[-_LAST_PART:])
    if formulas:
        return formulas[-1]
    last_line = _IT_IS.sub("", text.rpartition("\n")[2].strip(), count=1)
    return last_line if 0 < len(last_line) <= 80 and len(last_line.split()) <= _MOST_WORDS else None


def _formulas(text: str) -> list[str]:
    return [first or second for first, second in _MATHS.findall(text)]
