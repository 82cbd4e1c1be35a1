"""Text without its markup: what a reader of the rendered Markdown, LaTeX or HTML would see."""

import re
import unicodedata
from dataclasses import dataclass

_HTML = re.compile(
    r"</?(?:(?-i:b|i|u|p)|em|strong|br|mark|span|div|sup|sub|code|center|font)\b[^<>]{0,80}>", re.IGNORECASE
)
_ANSWER_TAG = re.compile(r"<(?:final_?)?(?:answer|ans|choice|option)>", re.IGNORECASE)
_CLOSED_ANSWER_TAG = re.compile(r"</(?:final_?)?(?:answer|ans|choice|option)>", re.IGNORECASE)
_FRACTION = re.compile(r"\\[dtc]?frac\{([^{}]{1,40})\}\{([^{}]{1,40})\}")
_LATEX_FONT = re.compile(
    r"\\(?:text|textbf|textit|textrm|texttt|textsf|mathbf|mathrm|mathit|mathsf|boldsymbol|bm|operatorname|mbox|emph"
    r"|bf|rm|displaystyle|left|right|quad|qquad)(?![A-Za-z])\*?"
)
_BOXED = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_LATEX_SPACE = re.compile(r"\\[,;:!() \[\]]")
_QUOTED_LETTER = re.compile(r"(?<!\w)'([A-Za-z])'(?!\w)")
_EMPHASIS = re.compile(r"\*++|`++|~~|(?<![A-Za-z0-9_])_++(?=[A-Za-z0-9(\[])|(?<=[A-Za-z0-9)\].])_++(?![A-Za-z0-9])")
_LINE_MARKS = re.compile(r"^[ \t]*(?:#{1,6}[ \t]*|>[ \t]?|[-•+‣▪●✅✓✔☑👉][ \t]+)+", re.MULTILINE)
_DELETED = str.maketrans(dict.fromkeys('"“”„«»{}$\u200b\u200c\u200d\u2060\ufeff️'))
_FOLDED = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "‛": "'",
        "。": ". ",
        "【": "[",
        "】": "]",
        "「": "(",
        "」": ")",
        "『": "(",
        "』": ")",
        "〔": "(",
        "〕": ")",
        "–": "-",
        "—": "-",
        "−": "-",
        "⇒": "→",
        "⟶": "→",
        "➡": "→",
    }
)
# Capitals of other alphabets that look like Latin ones, where they stand alone.
_LOOKALIKE = re.compile(r"(?<![^\W_])[АВСЕНАІЈΑΒΕΗΙ](?![^\W_])")
_TO_LATIN = str.maketrans("АВСЕНІЈΑΒΕΗΙ", "ABCEHIJABEHI")
_BARE_ARGUMENT = re.compile(r"[^\s$]{1,40}")
_BRACE = re.compile("[{}]")


def plain_text(text: str) -> str:
    """Strip Markdown, LaTeX fonts, HTML and quotes, and unify brackets, dashes and full-width letters.

    A box and an `<answer>` tag become the words `boxed answer:`.

    Args:
        text: a response, an option or the part of either.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_FOLDED)
        text = _LOOKALIKE.sub(lambda match: match[0].translate(_TO_LATIN), text)
    if "<" in text:
        text = _CLOSED_ANSWER_TAG.sub(" .\n", _ANSWER_TAG.sub(" boxed answer: ", text))
        text = _HTML.sub("", text)
    if "\\" in text:
        text = _with_words_for_boxes(text)
        text = _FRACTION.sub(r"\1/\2", _LATEX_FONT.sub("", text))
        text = _LATEX_SPACE.sub(" ", text)
    if "'" in text:
        text = _QUOTED_LETTER.sub(r"\1", text)
    if "*" in text or "`" in text or "_" in text or "~" in text:
        text = _EMPHASIS.sub("", text)
    return _LINE_MARKS.sub("", text).translate(_DELETED)


def lower_in_place(text: str) -> str:
    """Write a text in lower case, every character in the place where it was."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


@dataclass(frozen=True, slots=True)
class Box:
    r"""What stands in a `\boxed{}`, and where the command begins and ends in the text."""

    content: str
    start: int
    end: int


def find_boxes(text: str) -> list[Box]:
    r"""List the `\boxed{}` of a text in order, the outer of nested ones; a box that is never closed is left out."""
    boxes: list[Box] = []
    if "\\boxed" not in text and "\\fbox" not in text:
        return boxes
    closing = closing_braces(text)
    since = 0
    for mark in _BOXED.finditer(text):
        start = mark.end()
        if mark.start() < since:
            continue
        if start < len(text) and text[start] == "{":
            if start in closing:
                since = closing[start] + 1
                boxes.append(Box(text[start + 1 : since - 1], mark.start(), since))
        else:
            bare = _BARE_ARGUMENT.match(text, start)
            if bare is not None and bare[0]:
                since = bare.end()
                boxes.append(Box(bare[0], mark.start(), since))
    return boxes


def closing_braces(text: str) -> dict[int, int]:
    """Map the place of each brace that is closed to the place of the one that closes it."""
    closing: dict[int, int] = {}
    open_braces: list[int] = []
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            open_braces.append(brace.start())
        elif open_braces:
            closing[open_braces.pop()] = brace.start()
    return closing


def _with_words_for_boxes(text: str) -> str:
    parts: list[str] = []
    since = 0
    for box in find_boxes(text):
        parts += (text[since : box.start], " boxed answer: ", box.content, " .\n")
        since = box.end
    parts.append(text[since:])
    return "".join(parts)
