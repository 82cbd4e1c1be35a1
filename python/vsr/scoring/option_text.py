"""Options named by what they say instead of by their letter."""

import re

from vsr.scoring import label_grammar as grammar
from vsr.scoring.numbers import Number, find_numbers, fold_numbers, parse_number
from vsr.scoring.options import Options

_LEAD = re.compile(
    r"[\s:'(\[-]*(?:(?:that|the|an?|indeed|therefore|most likely|probably|definitely|simply)\s+){0,2}['(\[]*"
)
_ARTICLE = re.compile(r"^(?:the|an?)\s+")
_NOTHING_SAID = re.compile(
    r"^(?:(?:it|that|this)(?: is|'s)|it would be|i (?:think|believe|guess|choose|pick)(?: it's| it is)?)\s+"
)
_WORD = re.compile(r"\w")
# Sentences that mention an option without meaning it.
_NOT_MEANT = re.compile(
    r"\b(?:not|n't|nor|never|neither|incorrect|wrong|false|except|unlike|rather than|instead of|whether|if|unsure"
    r"|cannot|can't|unable|don't|doesn't|isn't|wasn't|aren't|won't|might|maybe|perhaps|could|may)\b",
    re.IGNORECASE,
)
_YES_OR_NO = re.compile(r"(?:yes|no|true|false|correct|incorrect)(?=[,:;-])", re.IGNORECASE)
# "Paris, of course": what the response begins with, before it says how sure it is or why.
_HEAD = re.compile(
    r"[^,(;\n]{2,80}?(?=\s?[,(;-]\s?(?:of course|obviously|certainly|definitely|clearly|surely|no doubt|because|since"
    r"|as|which|not)\b)",
    re.IGNORECASE,
)
_NOT_THIS_BUT = re.compile(r"\bnot\s[^.;\n]{1,80}?,?\sbut\s", re.IGNORECASE)
_CONCLUDES = re.compile(
    r"\b(?:therefore|thus|hence|so|consequently|in conclusion|conclude|answer|overall|finally|in summary|correct)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?!\s|$)[^.!?\n]*)*[.!?]?")
_RESULT = re.compile(
    r"(?:^|[=≈:]|\b(?:is|are|was|be|gets?|gives?|equals?|about|approximately|answer|exactly)\b)[\s$€£(-]*$"
)
_TELLING = 4  # letters that make a text an option's own
_SHORT_RESPONSE = 600  # characters in which one option alone is named on purpose


def option_at(text: str, start: int, options: Options, *, needs_end: bool = False) -> str | None:
    """Find the option whose text stands at a place behind a cue such as "the answer is".

    Args:
        text: plain text.
        start: where the cue ends.
        options: what it can name; none is found where their texts are not known.
        needs_end: whether the clause has to end behind the text.
    """
    if not options.texts:
        return None
    here = " ".join(text[start : start + 600].split()).lower()
    lead = _LEAD.match(here)
    places = {0 if lead is None else lead.end(), len(here) - len(here.lstrip(" :,'([-"))}
    best: tuple[int, str] | None = None
    for label, option in zip(options.labels, options.texts, strict=True):
        for wanted in {option, _ARTICLE.sub("", option, count=1)}:
            if len(wanted) < 2 and not wanted.isdigit():
                continue
            for place in places:
                end = place + len(wanted)
                if here.startswith(wanted, place) and _ends_here(here, end) and (best is None or end > best[0]):
                    best = end, label
    if best is None:
        return None if needs_end else _option_by_number(here, options)
    is_meant = not grammar.DENIED_AFTER.match(here, best[0])
    return best[1] if is_meant and (not needs_end or grammar.CLAUSE_END.match(here, best[0])) else None


def option_before(part: str, options: Options) -> str | None:
    """Find the option with whose text a part of a sentence in lower case ends."""
    part = part.rstrip(" ,)'")
    found = [
        (len(option), label)
        for label, option in zip(options.labels, options.texts, strict=False)
        if option and part.endswith(option) and _begins_here(part, len(part) - len(option))
    ]
    if not found or _NOT_MEANT.search(part[: len(part) - max(found)[0]]):
        return None
    return max(found)[1]


def named_by_text(text: str, options: Options) -> str | None:
    """Find the one option that a response names by its text: as a whole, or alone in a short or concluding part.

    Args:
        text: plain text of the whole response.
        options: with their texts.
    """
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(text) if sentence.strip()]
    if not sentences:
        return None
    if parse_number(text) is not None:
        return _option_by_number(text.strip(), options)
    whole = " ".join(text.split())
    first_words = _YES_OR_NO.match(sentences[0])
    head = _HEAD.match(sentences[0])
    for part in (whole, sentences[0], *(found[0] for found in (first_words, head) if found is not None)):
        label = _is_text_of(part, options)
        if label is not None:
            return label
    last = sentences[-1][-_SHORT_RESPONSE:]
    parts = [whole] if len(text) <= _SHORT_RESPONSE else []
    if _CONCLUDES.search(last):
        parts.append(" ".join(last.split()))
    for part in (_NOT_THIS_BUT.sub(" ", part) for part in parts):
        named = _named_in(part, options)
        if len(named) == 1:
            label = named.pop()
            # The option itself may say "false".
            if not _NOT_MEANT.search(part.lower().replace(options.texts[options.labels.index(label)], " ")):
                return label
    return None


def _is_text_of(part: str, options: Options) -> str | None:
    bare = _NOTHING_SAID.sub("", part.lower().strip(" .!,;:'()[]"), count=1)
    found = [
        label
        for label, option in zip(options.labels, options.texts, strict=True)
        if bare and _ARTICLE.sub("", bare, count=1) == _ARTICLE.sub("", option, count=1)
    ]
    return found[0] if len(found) == 1 else None


def _named_in(part: str, options: Options) -> set[str]:
    """List the options whose texts occur at word boundaries, without those that are only a part of another one there.

    Numbers and other short texts occur in every calculation: of them, only the one at the end counts.
    """
    lower = part.lower()
    spans: list[tuple[int, int, str]] = []
    for label, option in zip(options.labels, options.texts, strict=True):
        if not option:
            continue
        place = lower.find(option)
        while place >= 0:
            end = place + len(option)
            is_telling = sum(map(str.isalpha, option)) >= _TELLING or (
                not lower[end:].strip(" .!)]'") and _RESULT.search(lower[max(0, place - 30) : place]) is not None
            )
            if is_telling and _begins_here(lower, place) and _ends_here(lower, end):
                spans.append((place, end, label))
            place = lower.find(option, place + 1)
    return {
        label
        for start, end, label in spans
        if not any(s <= start and end <= e and (s, e) != (start, end) for s, e, _ in spans)
    }


def _begins_here(text: str, place: int) -> bool:
    if place == 0 or not _WORD.match(text[place]):
        return True
    before = text[place - 1]
    return not (_WORD.match(before) or (text[place].isdigit() and before in ".,-/"))


def _ends_here(text: str, end: int) -> bool:
    """Tell whether a word or number ends here, so that 3 is not found in 3.5, 35, 3% or 3-methyl."""
    if end >= len(text) or not _WORD.match(text[end - 1]):
        return True
    following = text[end]
    if _WORD.match(following) or following in "%°^/":
        return False
    return not (following in ".,-" and end + 1 < len(text) and bool(_WORD.match(text[end + 1])))


def _option_by_number(here: str, options: Options) -> str | None:
    """Find the one option that holds the number with which a text begins."""
    number = next(find_numbers(fold_numbers(here[:80])), None)
    if number is None or number.start > 3:
        return None
    same = [label for label, held in _numbers_of(options) if held.equals(number)]
    return same[0] if len(same) == 1 else None


def _numbers_of(options: Options) -> list[tuple[str, Number]]:
    """List the options that are one number, with a unit perhaps."""
    found: list[tuple[str, Number]] = []
    for label, option in zip(options.labels, options.texts, strict=True):
        numbers = list(find_numbers(fold_numbers(option)))
        if len(numbers) == 1 and numbers[0].start <= 2:
            found.append((label, numbers[0]))
    return found
