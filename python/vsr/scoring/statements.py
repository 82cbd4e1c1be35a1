"""What a response says about the options, in three groups of falling weight; of each group the last statement holds."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import nlargest

from vsr.scoring import label_grammar as grammar
from vsr.scoring.label_reader import SEVERAL, LabelReader, label_in
from vsr.scoring.line_labels import last_line_label
from vsr.scoring.option_text import option_at, option_before
from vsr.scoring.options import Options

_FARTHEST_LINK = 90  # characters between "answer" and "is"
_FARTHEST_LABEL = 160  # characters between "is" and a label in brackets at the end of the sentence
_MOST_CUES = 200  # read of one response; only one that repeats itself for ever has more


@dataclass(frozen=True, slots=True)
class _Cue:
    """Words that may belong to a statement, and what reads them: the label, `SEVERAL`, or None for no statement."""

    match: re.Match[str]
    read: Callable[[re.Match[str]], str | None]


class StatementFinder:
    """Searches one response; every method gives the option named last, `SEVERAL`, or None where none is named."""

    def __init__(self, text: str, options: Options) -> None:
        """Take a response.

        Args:
            text: the response as plain text.
            options: what it can name.
        """
        self._reader = LabelReader(text, options)
        self._text = text
        self._lower = self._reader.lower
        self._options = options

    def last_explicit(self) -> str | None:
        """Find what is said to be the answer."""
        return _last(self._explicit_cues())

    def last_conclusion(self) -> str | None:
        """Find "so B", "(C) is correct" and an option that the last sentence alone names."""
        return self._in_last_sentence() or _last(self._concluding_cues())

    def last_line(self) -> str | None:
        """Find an option at the start of the first or last line, or alone on a line, that is no entry of a list."""
        return last_line_label(self._reader)

    def _explicit_cues(self) -> Iterator[_Cue]:
        lower = self._lower
        yield from _cues(grammar.ANSWER, lower, self._read_answer)
        yield from _cues(grammar.IS_CORRECT, lower, self._read_full_verdict)
        yield from _cues(grammar.CHOICE, lower, self._read_choice)
        yield from _cues(grammar.CORRECTION, lower, self._read_conclusion)
        yield from _cues(grammar.LATIN_ANSWER, lower, self._read_foreign_answer)
        yield from _cues(grammar.FOREIGN_IS_CORRECT, lower, self._read_foreign_verdict)
        if not lower.isascii():
            yield from _cues(grammar.FOREIGN_ANSWER, lower, self._read_foreign_answer)
        # Asking for a word first costs a tenth of searching for the whole pattern.
        if "not " in lower or "n't" in lower or "cannot" in lower or "nor " in lower:
            yield from _cues(grammar.BUT, lower, self._read_but)
            yield from _cues(grammar.NO_ANSWER, lower, lambda _cue: SEVERAL)
        if "not " in lower or "instead of" in lower or "rather than" in lower:
            yield from _cues(grammar.RATHER_THAN, lower, self._read_rather_than)

    def _concluding_cues(self) -> Iterator[_Cue]:
        yield from _cues(grammar.CONCLUSION, self._lower, self._read_conclusion)
        yield from _cues(grammar.IS_CORRECT, self._lower, self._read_verdict)
        yield from _cues(grammar.LABEL_WITH_TEXT, self._lower, self._read_with_text)

    def _read_answer(self, noun: re.Match[str]) -> str | None:
        """Read "the answer ... is (B)": a noun, a link within its sentence, and an option behind the link."""
        if self._reader.is_denied(noun.start()):
            return None
        limit = noun.end() + _FARTHEST_LINK
        sentence_end = grammar.SENTENCE_END.search(self._text, noun.end(), limit)
        if sentence_end is not None:
            limit = sentence_end.start() + 1
        for link in grammar.LINK.finditer(self._lower, noun.end(), limit):
            if grammar.NO_FILLER.search(self._lower, noun.end(), link.start()):
                return None
            label = self._behind_link(link.end())
            if label is not None:
                return label
        return None

    def _behind_link(self, end: int) -> str | None:
        here = grammar.LABEL_HERE.match(self._text, end)
        if here is not None and self._heads_a_list(end, here):
            return None
        label = None if here is None else self._reader.read(here)
        if label is None:
            label = self._in_brackets(end)
            if label is not None:
                return label
        elif here is not None and here["inside"] is not None:
            return label
        named = option_at(self._text, end, self._options)
        # "The answer is E. coli" names the option that says so, not option E.
        is_text = named is not None and (not label or self._reader.text_of(named).startswith(label.lower()))
        return named if is_text else label

    def _in_brackets(self, end: int) -> str | None:
        """Find the one label in brackets later in the sentence: "the answer is Paris (option C)"."""
        limit = end + _FARTHEST_LABEL
        sentence_end = grammar.SENTENCE_END.search(self._text, end, limit)
        if sentence_end is not None:
            limit = sentence_end.start()
        named = list(grammar.IN_BRACKETS.finditer(self._text, end, limit))
        if len(named) > 1 and grammar.ENDS_WITH_ALSO.search(self._text[named[0].end() : named[1].start()]):
            return SEVERAL
        if len(set(map(label_in, named))) != 1 or grammar.NO_FILLER.search(self._lower, end, named[0].start()):
            return None
        return self._reader.read(named[-1])

    def _heads_a_list(self, start: int, match: re.Match[str]) -> bool:
        """Tell whether a label on the line below "Answer:" is the first entry of a list of options."""
        if "\n" not in self._text[start : match.end()]:
            return False
        next_line = self._text.find("\n", match.end()) + 1
        following = grammar.LINE_LABEL.match(self._text, next_line) if next_line else None
        return following is not None and ord(label_in(following)) == ord(label_in(match)) + 1

    def _read_choice(self, cue: re.Match[str]) -> str | None:
        """Read the option behind "I choose"; in lower case it has to be in brackets."""
        if self._reader.is_denied(cue.start()):
            return None
        here = grammar.LABEL_HERE.match(self._text, cue.end())
        if here is None:
            return option_at(self._text, cue.end(), self._options)
        return None if here["bare"] is not None and here["bare"].islower() else self._reader.read_single(here)

    def _read_conclusion(self, cue: re.Match[str]) -> str | None:
        """Read the option behind "so" or "no wait" with which the clause ends."""
        if self._reader.is_denied(cue.start()):
            return None
        return self._at_clause_end(cue)

    def _at_clause_end(self, cue: re.Match[str]) -> str | None:
        here = grammar.LABEL_HERE.match(self._text, cue.end())
        word = cue[0].split()[0].rstrip(",:=")
        if here is None:
            # "No increase" corrects nothing, and "London or Paris" concludes nothing.
            is_vague = word == "or" or (word in ("no", "instead", "rather") and not set(cue[0]) & set(",.:!"))
            return None if is_vague else option_at(self._text, cue.end(), self._options, needs_end=True)
        is_small = here["bare"] is not None and here["bare"].islower()
        if is_small and word in ("so", "thus", "hence", "therefore"):
            is_small = not self._text.startswith(")", here.end())
        ends = grammar.CLAUSE_END.match(self._lower, here.end()) is not None
        # In brackets it may go on, but not with what this option is, as in an analysis of all of them.
        goes_on = here["bare"] is not None or grammar.VERB_FIRST.match(self._lower, here.end())
        if is_small or (goes_on and not ends):
            return None
        is_second = word in ("or", "") and grammar.ENDS_WITH_LABEL.search(
            self._text[max(0, cue.start() - 12) : cue.start()]
        )
        return None if is_second else self._reader.read_single(here)

    def _read_with_text(self, cue: re.Match[str]) -> str | None:
        """Read an option that is named by its letter and its text at once, as in "would be B. Paris"."""
        here = grammar.LABEL_HERE.match(self._text, cue.end())
        own = "" if here is None else self._reader.text_of(label_in(here))
        if here is None or not own or self._reader.is_denied(cue.start()):
            return None
        behind = " ".join(self._lower[here.end() : here.end() + 2 * len(own)].split()).lstrip(".): ]")
        return self._reader.read_single(here) if behind.startswith(own) else None

    def _read_but(self, cue: re.Match[str]) -> str | None:
        """Read the second option of "not A but B"."""
        return self._at_clause_end(cue) if self._is_meant_as_label(cue) else None

    def _read_rather_than(self, cue: re.Match[str]) -> str | None:
        """Read the first option of "B rather than A"."""
        before = grammar.LABEL_BEFORE.search(self._text, max(0, cue.start() - 6), cue.start())
        if before is None or not self._is_meant_as_label(cue):
            return None
        return self._reader.read_single(before, end=cue.end())

    def _is_meant_as_label(self, cue: re.Match[str]) -> bool:
        """Tell whether the letter in "not A" is an option: a capital, or in brackets."""
        place = cue.start("denied")
        return self._text[place].isupper() or self._text[place - 1] in "(["

    def _read_full_verdict(self, cue: re.Match[str]) -> str | None:
        """Read "(B) is the correct answer"."""
        return self._judged(cue) if grammar.IS_THE_ANSWER.search(cue[0]) else None

    def _read_verdict(self, cue: re.Match[str]) -> str | None:
        """Read "(B) is correct", which an explanation may say of an option in passing."""
        return None if grammar.IS_THE_ANSWER.search(cue[0]) else self._judged(cue)

    def _judged(self, verdict: re.Match[str]) -> str | None:
        """Read the option in front of a verdict; nothing but its own text may stand between."""
        if grammar.NOT_REALLY.search(verdict["how"]) or grammar.ONLY_SOMETIMES.match(self._lower, verdict.end()):
            return None
        start, end = self._reader.sentence_start(verdict.start()), verdict.start()
        named = list(grammar.LABEL_ANYWHERE.finditer(self._text, start, end))
        if not named or label_in(named[-1]) not in self._options.labels:
            return option_before(self._lower[start:end], self._options)
        last = named[-1]
        label = label_in(last)
        said = self._text[last.end() : end].strip()
        if said and not last["inside"] and said[0] not in ":,)-" and said.lower() != self._reader.text_of(label):
            return option_before(self._lower[start:end], self._options)
        several = len(named) > 1 and grammar.ENDS_WITH_ALSO.search(self._text[named[-2].end() : last.start()])
        return None if several or self._reader.is_denied(last.start()) else label

    def _read_foreign_answer(self, cue: re.Match[str]) -> str | None:
        match = grammar.FOREIGN_LABEL.match(self._text, cue.end())
        if match is None or self._reader.is_denied(cue.start()):
            return None
        is_denied = grammar.FOREIGN_NOT.search(self._lower, match.start(), match.end("filler"))
        return None if is_denied else self._reader.read_single(match)

    def _read_foreign_verdict(self, cue: re.Match[str]) -> str | None:
        pattern = grammar.LABEL_BEFORE if cue[0][0] >= _FIRST_ASIAN else grammar.LABEL_IS
        before = pattern.search(self._text, max(0, cue.start() - 12), cue.start())
        return None if before is None else self._reader.read_single(before, end=cue.end())

    def _in_last_sentence(self) -> str | None:
        """Find the one option that the last sentence names in brackets, or that is all of it."""
        start = self._reader.last_sentence_start()
        alone = grammar.ONLY_A_LABEL.fullmatch(self._text, start)
        on_a_line = "\n" in self._text[max(0, start - 1) : start + 1]
        if alone is not None and not on_a_line and label_in(alone) in self._options.labels:
            return label_in(alone)
        named = list(grammar.IN_BRACKETS.finditer(self._text, start))
        if len(set(map(label_in, named))) != 1 or grammar.ONLY_LOOKED_AT.search(self._lower, start):
            return None
        last = named[-1]
        before = self._lower[max(0, last.start() - 10) : last.start()]
        is_said = grammar.COPULA.search(before) or not self._reader.is_denied(last.start())
        if not is_said or grammar.VERB_FIRST.match(self._lower, last.end()):
            return None
        return self._reader.read_single(last)


_FIRST_ASIAN = "\u0600"  # from Arabic on, no space and no verb stands between


def _cues(pattern: re.Pattern[str], text: str, read: Callable[[re.Match[str]], str | None]) -> Iterator[_Cue]:
    return (_Cue(match, read) for match in pattern.finditer(text))


def _last(cues: Iterator[_Cue]) -> str | None:
    """Read cues from the end of the text, until one is a statement."""
    for cue in nlargest(_MOST_CUES, cues, key=lambda cue: cue.match.start()):
        label = cue.read(cue.match)
        if label is not None:
            return label
    return None
