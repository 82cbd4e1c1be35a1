"""Reading one option's label in its context: is it a label at all, is it meant, and is it the only one?"""

import re

from vsr.scoring import label_grammar as grammar
from vsr.scoring.options import Options
from vsr.scoring.plain_text import lower_in_place

SEVERAL = ""
"""What stands in place of a label where a statement names several options, or one that does not exist."""

_LOOK_BACK = 120  # characters of a sentence before a statement
_LAST_SENTENCE = 400  # characters at most


class LabelReader:
    """The text of one response and the options that it can name.

    Attributes:
        text: the response as plain text.
        lower: the same in lower case, every character in its place.
        options: what it can name.
    """

    def __init__(self, text: str, options: Options) -> None:
        self.text = text
        self.lower = lower_in_place(text)
        self.options = options

    def read(self, match: re.Match[str], *, end: int | None = None) -> str | None:
        """Give the label that a pattern matched, `SEVERAL`, or None where it is a word, denied or asked.

        Args:
            match: with the label as `inside` (brackets) or `bare`.
            end: where the context behind it begins, if not behind the match.
        """
        bare = match["bare"]
        label = label_in(match)
        end = match.end() if end is None else end
        if bare is not None and self._is_word(bare, end, label):
            return None
        if grammar.DENIED_AFTER.match(self.lower, end) or grammar.QUESTION.match(self.text, end):
            return None
        if self._names_another(label, end, is_lower=bare is not None and bare.islower()):
            return SEVERAL
        if label in self.options.labels:
            return label
        return SEVERAL if bare is None and label.isalpha() else None

    def read_single(self, match: re.Match[str], *, end: int | None = None) -> str | None:
        """Give the label that a pattern matched; None also where there are several."""
        return self.read(match, end=end) or None

    def text_of(self, label: str) -> str:
        """Give what an option says, an empty text where that is not known."""
        known = self.options.texts and label in self.options.labels
        return self.options.texts[self.options.labels.index(label)] if known else ""

    def is_denied(self, start: int) -> bool:
        """Tell whether what is said before makes a statement none: "if", "not", "some might think"."""
        before = self.lower[self.sentence_start(start) : start]
        since = 0
        for reset in grammar.RESET.finditer(before):
            since = reset.end()
        return grammar.DENIED_BEFORE.search(before, since) is not None

    def sentence_start(self, place: int) -> int:
        """Find where the sentence begins that holds a place."""
        return self._behind_sentence_end(max(0, place - _LOOK_BACK), place)

    def last_sentence_start(self) -> int:
        """Find where the last sentence begins."""
        end = len(self.text.rstrip(" .!\n)"))
        return self._behind_sentence_end(max(0, end - _LAST_SENTENCE), end)

    def _behind_sentence_end(self, begin: int, end: int) -> int:
        for sentence_end in grammar.SENTENCE_END.finditer(self.text, begin, end):
            begin = sentence_end.end()
        return begin

    def _is_word(self, bare: str, end: int, label: str) -> bool:
        """Tell whether a letter without brackets is an article, a pronoun or the beginning of a name."""
        if bare.isdigit() or (bare.isupper() and bare not in "AI"):
            return False
        following = grammar.FOLLOWING_WORD.match(self.text, end)
        if following is None or grammar.CONNECTIVE.fullmatch(following[1].lower()):
            return False
        own = self.text_of(label)
        return not (own and " ".join(self.lower[end : end + 400].split()).startswith(own))

    def _names_another(self, label: str, end: int, *, is_lower: bool) -> bool:
        also = grammar.ALSO.match(self.text, end)
        if also is None:
            behind_text = grammar.ALSO_AFTER_TEXT.match(self.text, end)
            return behind_text is not None and behind_text["other"] in self.options.labels
        other = also["inside"] or also["bare"]
        after = (also["after"] or "").lower()
        if other.upper() == label or other.upper() not in self.options.labels or grammar.VERB.fullmatch(after):
            return False
        if also["bare"] is None:
            return True
        is_word = other in "AIai" and after and not grammar.CONNECTIVE.fullmatch(after)
        return (other.isupper() or is_lower) and not is_word


def label_in(match: re.Match[str]) -> str:
    """Give the label that a pattern matched, in upper case."""
    return str(match["inside"] or match["bare"]).upper()
