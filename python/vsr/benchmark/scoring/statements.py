"""The places where a response names an option, in three groups of falling weight."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vsr.benchmark.scoring import label_grammar as grammar
from vsr.benchmark.scoring.option_text import option_at
from vsr.benchmark.scoring.options import Options, normalised

_FARTHEST_LINK = 90  # characters between "answer" and "is"
_FARTHEST_LABEL = 160  # characters between "is" and a label in brackets at the end of the sentence
_LOOK_BACK = 120


@dataclass(frozen=True, slots=True)
class Statement:
    """A place where a response names an option; without label it names several, or none that exists."""

    start: int
    label: str | None


class StatementFinder:
    """Searches one response for what it says about the options."""

    def __init__(self, text: str, options: Options) -> None:
        """Take a response.

        Args:
            text: the response as plain text.
            options: what it can name.
        """
        self._text = text
        self._lower = _lower(text)
        self._options = options

    def explicit(self) -> Iterator[Statement]:
        """Find what is said to be the answer, in any order."""
        yield from self._answers()
        yield from self._verdicts()
        yield from self._foreign()
        for cue in grammar.CHOICE.finditer(self._lower):
            yield from self._behind(cue, needs_end=False)
        for cue in grammar.CORRECTION.finditer(self._lower):
            yield from self._behind(cue, needs_end=True)
        # Asking for a word first costs a tenth of searching for the whole pattern.
        if "not " in self._lower or "n't" in self._lower or "instead of" in self._lower or "rather than" in self._lower:
            yield from self._contrasts()
        if "not " in self._lower or "n't" in self._lower or "cannot" in self._lower:
            for withdrawal in grammar.NO_ANSWER.finditer(self._lower):
                yield Statement(withdrawal.start(), None)

    def conclusions(self) -> Iterator[Statement]:
        """Find "so B", "which is (C)" and an option that the last sentence alone names, in any order."""
        for cue in grammar.CONCLUSION.finditer(self._lower):
            before = self._text[max(0, cue.start() - 12) : cue.start()]
            if not (cue[0].startswith("or") and grammar.ENDS_WITH_LABEL.search(before)):
                yield from self._behind(cue, needs_end=True)
        start = self._last_sentence_start()
        named = list(grammar.IN_BRACKETS.finditer(self._text, start))
        if len({match["inside"] or match["bare"] for match in named}) == 1:
            is_described = grammar.VERB_FIRST.match(self._lower, named[-1].end())
            if not is_described and not self._is_denied(named[-1].start()):
                yield from self._only_single(self._read(start, named[-1]))

    def lines(self) -> Iterator[Statement]:
        """Find an option at the start of the first or last line, or alone on a line, that is no entry of a list."""
        lines = [match for match in grammar.LINE_LABEL.finditer(self._text) if self._labels_a_line(match)]
        labels = [_label_in(match) for match in lines]
        for index, (match, label) in enumerate(zip(lines, labels, strict=True)):
            is_alone = not match["rest"].strip(" .:)")
            is_edge = not self._text[: match.start()].strip() or not self._text[match.end() :].strip()
            is_edge = is_edge or (len(set(labels)) == 1 and self._text_of(label) == normalised(match["rest"]) != "")
            is_listed = not is_alone and self._is_listed(label, labels[:index], labels[index + 1 :], match["rest"])
            if (is_alone or is_edge) and not is_listed:
                yield Statement(match.start(), label)

    def _contrasts(self) -> Iterator[Statement]:
        """Find "not A but B" and "B rather than A"."""
        for cue in grammar.BUT.finditer(self._lower):
            if self._is_meant_as_label(cue):
                yield from self._behind(cue, needs_end=True, may_be_denied=True)
        for cue in grammar.RATHER_THAN.finditer(self._lower):
            before = grammar.LABEL_BEFORE.search(self._text, max(0, cue.start() - 6), cue.start())
            if before is not None and self._is_meant_as_label(cue):
                yield from self._only_single(self._read(before.start(), before, end=cue.end()))

    def _answers(self) -> Iterator[Statement]:
        """Find "the answer ... is (B)": a noun, a link within its sentence, and an option behind the link."""
        for noun in grammar.ANSWER.finditer(self._lower):
            if self._is_denied(noun.start()):
                continue
            limit = noun.end() + _FARTHEST_LINK
            sentence_end = grammar.SENTENCE_END.search(self._text, noun.end(), limit)
            if sentence_end is not None:
                limit = sentence_end.start() + 1
            for link in grammar.LINK.finditer(self._lower, noun.end(), limit):
                if grammar.NO_FILLER.search(self._lower, noun.end(), link.start()):
                    break
                statement = self._behind_link(noun.start(), link.end())
                if statement is not None:
                    yield statement
                    break

    def _behind_link(self, start: int, end: int) -> Statement | None:
        here = grammar.LABEL_HERE.match(self._text, end)
        if here is not None and self._heads_a_list(end, here):
            return None
        statement = None if here is None else self._read(start, here)
        if statement is None:
            statement = self._in_brackets(start, end)
            if statement is not None:
                return statement
        elif here is not None and here["inside"] is not None:
            return statement
        named = option_at(self._text, end, self._options) if self._options.texts else None
        # "The answer is E. coli" names the option that says so, not option E.
        if named is None or (
            statement is not None
            and statement.label is not None
            and not self._text_of(named).startswith(statement.label.lower())
        ):
            return statement
        return Statement(start, named)

    def _in_brackets(self, start: int, end: int) -> Statement | None:
        """Find the one label in brackets later in the sentence: "the answer is Paris (option C)"."""
        limit = end + _FARTHEST_LABEL
        sentence_end = grammar.SENTENCE_END.search(self._text, end, limit)
        if sentence_end is not None:
            limit = sentence_end.start()
        named = list(grammar.IN_BRACKETS.finditer(self._text, end, limit))
        if len({match["inside"] or match["bare"] for match in named}) != 1:
            return None
        if grammar.NO_FILLER.search(self._lower, end, named[0].start()):
            return None
        return self._read(start, named[-1])

    def _verdicts(self) -> Iterator[Statement]:
        """Find "(B) is correct", where nothing but the option's own text stands between."""
        for verdict in grammar.IS_CORRECT.finditer(self._lower):
            if grammar.NOT_REALLY.search(verdict["how"]) or grammar.ONLY_SOMETIMES.match(self._lower, verdict.end()):
                continue
            start = self._sentence_start(verdict.start())
            named = list(grammar.LABEL_ANYWHERE.finditer(self._text, start, verdict.start()))
            if not named or self._is_denied(named[-1].start()):
                continue
            last = named[-1]
            label = _label_in(last)
            said = self._text[last.end() : verdict.start()].strip()
            says_itself = not said or last["inside"] or said[0] in ":,)-" or said.lower() == self._text_of(label)
            several = len(named) > 1 and grammar.ENDS_WITH_ALSO.search(self._text[named[-2].end() : last.start()])
            if label in self._options.labels and says_itself and not several:
                yield Statement(last.start(), label)

    def _foreign(self) -> Iterator[Statement]:
        cues = list(grammar.LATIN_ANSWER.finditer(self._lower))
        if not self._lower.isascii():
            cues += grammar.FOREIGN_ANSWER.finditer(self._lower)
        for cue in cues:
            match = grammar.FOREIGN_LABEL.match(self._text, cue.end())
            if match is None or self._is_denied(cue.start()):
                continue
            if not grammar.FOREIGN_NOT.search(self._lower, match.start(), match.end("filler")):
                yield from self._only_single(self._read(cue.start(), match))
        for verdict in grammar.FOREIGN_IS_CORRECT.finditer(self._lower):
            place = max(0, verdict.start() - 12)
            label = grammar.LABEL_IS if verdict[0][0] < "\u0500" else grammar.LABEL_BEFORE
            before = label.search(self._text, place, verdict.start())
            if before is not None:
                yield from self._only_single(self._read(before.start(), before, end=verdict.end()))

    def _behind(self, cue: re.Match[str], *, needs_end: bool, may_be_denied: bool = False) -> Iterator[Statement]:
        """Read the option directly behind a cue such as "I choose"; in lower case it has to be in brackets."""
        if not may_be_denied and self._is_denied(cue.start()):
            return
        here = grammar.LABEL_HERE.match(self._text, cue.end())
        if here is None:
            named = option_at(self._text, cue.end(), self._options) if self._options.texts and not needs_end else None
            if named is not None:
                yield Statement(cue.start(), named)
        elif here["bare"] is None or (
            not here["bare"].islower() and (not needs_end or grammar.CLAUSE_END.match(self._lower, here.end()))
        ):
            yield from self._only_single(self._read(cue.start(), here))

    def _only_single(self, statement: Statement | None) -> Iterator[Statement]:
        if statement is not None and statement.label is not None:
            yield statement

    def _is_meant_as_label(self, cue: re.Match[str]) -> bool:
        """Tell whether the letter in "not A" is an option: a capital, or in brackets."""
        place = cue.start("denied")
        return self._text[place].isupper() or self._text[place - 1] in "(["

    def _read(self, start: int, match: re.Match[str], *, end: int | None = None) -> Statement | None:
        """Read a label in its context: None where it is a word, denied or asked.

        Args:
            start: where the statement begins.
            match: with the label as `inside` (brackets) or `bare`.
            end: where the context behind it begins, if not behind the label.
        """
        bare = match["bare"]
        label = _label_in(match)
        end = match.end() if end is None else end
        if bare is not None and self._is_word(bare, end, label):
            return None
        if grammar.DENIED_AFTER.match(self._lower, end) or grammar.QUESTION.match(self._text, end):
            return None
        if self._names_another(label, end, is_lower=bare is not None and bare.islower()):
            return Statement(start, None)
        if label in self._options.labels:
            return Statement(start, label)
        return Statement(start, None) if bare is None and label.isalpha() else None

    def _is_word(self, bare: str, end: int, label: str) -> bool:
        """Tell whether a letter without brackets is an article, a pronoun or the beginning of a name."""
        if bare.isdigit() or (bare.isupper() and bare not in "AI"):
            return False
        following = grammar.FOLLOWING_WORD.match(self._text, end)
        if following is None or grammar.CONNECTIVE.fullmatch(following[1].lower()):
            return False
        own = self._text_of(label)
        return not (own and " ".join(self._lower[end : end + 400].split()).startswith(own))

    def _text_of(self, label: str) -> str:
        known = self._options.texts and label in self._options.labels
        return self._options.texts[self._options.labels.index(label)] if known else ""

    def _names_another(self, label: str, end: int, *, is_lower: bool) -> bool:
        also = grammar.ALSO.match(self._text, end)
        if also is None:
            behind_text = grammar.ALSO_AFTER_TEXT.match(self._text, end)
            return behind_text is not None and behind_text["other"] in self._options.labels
        other = also["inside"] or also["bare"]
        after = (also["after"] or "").lower()
        if other.upper() == label or other.upper() not in self._options.labels or grammar.VERB.fullmatch(after):
            return False
        if also["bare"] is None:
            return True
        is_word = other in "AIai" and after and not grammar.CONNECTIVE.fullmatch(after)
        return (other.isupper() or is_lower) and not is_word

    def _is_denied(self, start: int) -> bool:
        """Tell whether what is said before makes a statement none: "if", "not", "some might think"."""
        before = self._lower[self._sentence_start(start) : start]
        since = 0
        for reset in grammar.RESET.finditer(before):
            since = reset.end()
        return grammar.DENIED_BEFORE.search(before, since) is not None

    def _sentence_start(self, place: int) -> int:
        begin = max(0, place - _LOOK_BACK)
        for sentence_end in grammar.SENTENCE_END.finditer(self._text, begin, place):
            begin = sentence_end.end()
        return begin

    def _last_sentence_start(self) -> int:
        end = len(self._text.rstrip(" .!\n)"))
        begin = max(0, end - 400)
        for sentence_end in grammar.SENTENCE_END.finditer(self._text, begin, end):
            begin = sentence_end.end()
        return begin

    def _heads_a_list(self, start: int, match: re.Match[str]) -> bool:
        """Tell whether a label on the line below "Answer:" is the first entry of a list of options."""
        if "\n" not in self._text[start : match.end()]:
            return False
        following = grammar.LINE_LABEL.search(self._text, match.end())
        return (
            following is not None
            and self._labels_a_line(following)
            and ord(_label_in(following)) == ord(_label_in(match)) + 1
        )

    def _labels_a_line(self, match: re.Match[str]) -> bool:
        rest = match["rest"]
        if _label_in(match) not in self._options.labels:
            return False
        if match["mark"] is None and (match["inside"] is None or grammar.VERB_FIRST.match(rest)):
            return not rest.strip(" .")
        return not grammar.DENIED_AFTER.match(rest.lower()) and not grammar.QUESTION.fullmatch(rest)

    def _is_listed(self, label: str, before: list[str], after: list[str], rest: str) -> bool:
        """Tell whether a line is an entry of a list: its neighbour in the alphabet labels a line, or this one, too."""
        labels = self._options.labels
        index = labels.index(label)
        if index > 0 and labels[index - 1] in before:
            return True
        if index > 0 or len(labels) < 2 or before:
            return False
        return labels[1] in after or re.search(rf"(?<![A-Za-z]){labels[1]}[).:]\s", rest) is not None


def _label_in(match: re.Match[str]) -> str:
    return str(match["inside"] or match["bare"]).upper()


def _lower(text: str) -> str:
    """Write a text in lower case, each character in the place where it was."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
