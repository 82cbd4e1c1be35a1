"""The options of a multiple-choice query: given apart, or as lettered lines of the query itself."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from vsr.data.prompts import option_label, parse_choices
from vsr.errors import RecordError
from vsr.scoring.plain_text import plain_text

DEFAULT_LABELS = tuple("ABCDEFGHIJ")
"""The letters that count where nobody says how many options there are: as many as the published benchmarks have."""

# A label at the beginning of a line, or inside one after white space.
_LINE_LABEL = re.compile(
    r"^[ \t]*(?:[-*>][ \t]+)?[*_]{0,3}[(\[]?([A-Za-z])[*_]{0,3}(?:[)\]](?=.)|[.:](?=\s|[^\W\d_]))[*_]{0,3}",
    re.MULTILINE,
)
_INLINE_LABEL = re.compile(r"(?<![^\s,;:?])[(\[]?([A-Za-z])[)\].:](?=\s)")
_OWN_LABEL = re.compile(r"\s*[(\[]?([A-Z])[)\].:]\s+")
_LABEL_IN_TRUTH = re.compile(r"\s*[(\[]?\s*([A-Za-z0-9])\s*(?:[)\]]|$|[.:]\s*$|(?:[).:]|\s-)\s)")


@dataclass(frozen=True)
class Options:
    """What a response can commit to.

    Attributes:
        labels: one character an option: a letter in upper case, or a digit.
        texts: what each option says, as `normalised` writes it; empty where only the letters are known.
        names: what the options are called in the file, where that is not one character (then the labels are letters).
    """

    labels: tuple[str, ...]
    texts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def label_of(self, truth: str) -> str | None:
        """Find the option that a ground truth means: by letter, `(B)`, `B. text` or the option's text."""
        wanted = normalised(truth)
        by_name = self._label_where(self.names, wanted)
        if by_name is not None:
            return by_name
        mark = _LABEL_IN_TRUTH.match(truth)
        bare = truth.strip(" ()[].:\n\t").upper()
        if bare in self.labels:
            return bare
        by_text = self._label_where(self.texts, wanted)
        if by_text is not None:
            return by_text
        if mark is not None and mark[1].upper() in self.labels:
            rest = normalised(truth[mark.end() :])
            label = mark[1].upper()
            if not rest or not self.texts or rest == self.texts[self.labels.index(label)]:
                return label
        return None

    def _label_where(self, held: tuple[str, ...], wanted: str) -> str | None:
        return self.labels[held.index(wanted)] if wanted and held.count(wanted) == 1 else None


def normalised(text: str) -> str:
    """Write an option's text as it is compared: plain, lower case, white space collapsed, no full stop at the end."""
    return " ".join(plain_text(text).lower().split()).rstrip(" .;,")


def read_options(query: str | None, choices: object) -> Options | None:
    """Find the options of a query; None where there are none.

    Args:
        query: the text, which may list lettered options.
        choices: the options in any form that `parse_choices` reads; what it cannot read counts as none.
    """
    try:
        parsed = parse_choices(choices)
    except RecordError:
        parsed = None
    if parsed is not None:
        return _from_choices(parsed.labels, parsed.texts)
    return _from_query(query) if query else None


@functools.lru_cache(maxsize=1024)
def _from_choices(labels: tuple[str, ...], texts: tuple[str, ...]) -> Options:
    marks = [_OWN_LABEL.match(text) for text in texts]
    own = tuple(mark[1] for mark in marks if mark is not None)
    if own == tuple(map(option_label, range(len(texts)))):
        texts = tuple(text[mark.end() :] for text, mark in zip(texts, marks, strict=True) if mark is not None)
    plain = tuple(map(normalised, texts))
    short = tuple(label.strip(" ().:").upper() for label in labels)
    if all(len(label) == 1 and label.isalnum() and label.isascii() for label in short) and len(set(short)) == len(
        short
    ):
        return Options(short, plain)
    letters = tuple(map(option_label, range(len(texts))))
    return Options(letters, plain, tuple(map(normalised, labels)))


@functools.lru_cache(maxsize=1024)
def _from_query(query: str) -> Options | None:
    for pattern in (_LINE_LABEL, _INLINE_LABEL):
        chain = _last_chain(list(pattern.finditer(query)))
        if len(chain) >= 2:
            return Options(tuple(mark[1].upper() for mark in chain), tuple(_texts_between(query, chain)))
    return None


def _last_chain(marks: list[re.Match[str]]) -> list[re.Match[str]]:
    """Take the last run of labels that begins with A (or a) and misses no letter."""
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for mark in marks:
        label = mark[1]
        if label in "Aa":
            run = [mark]
        elif run and ord(label) == ord(run[-1][1]) + 1:
            run = [*run, mark]
        if len(run) >= 2:
            best = run
    return best


def _texts_between(query: str, chain: list[re.Match[str]]) -> Iterator[str]:
    for index, mark in enumerate(chain):
        is_last = index + 1 == len(chain)
        text = query[mark.end() : None if is_last else chain[index + 1].start()]
        if is_last:
            # What follows the last option after an empty line or a cue is no part of it.
            text = re.split(r"\n\s*\n|\n\s*(?:answer|final answer)\b", text, maxsplit=1, flags=re.IGNORECASE)[0]
        yield normalised(text)
