"""Code: F1 of code tokens. Nothing of a response is ever executed."""

import re

from vsr.scoring.committed_text import committed_text
from vsr.scoring.score import Score
from vsr.scoring.text import f1

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n`]*\n", re.MULTILINE)
# Names, numbers, operators of two or three characters, and every other sign on its own; white space means nothing.
_TOKEN = re.compile(
    r"[^\W\d]\w*|\d+(?:\.\d+)?|[-+*/%&|^<>=!:]=|->|=>|==|\*\*|//|&&|\|\||<<|>>|::|\+\+|--|\.\.\.|[^\s\w]|\w"
)
_SIGNS_OF_CODE = re.compile(
    r"^[ \t]*(?:def|class|import|from|return|for|while|if|else|elif|try|public|private|static|void|int|double"
    r"|func|fn|let|const|var|function|SELECT|INSERT|CREATE|#include|package|use|struct|switch|case|print|printf)\b"
    r"|[;{}]\s*$|\w\([^()\n]{0,200}\)|[=!<>]=|=>|->|\+\+|\blambda\b|\w\[[^\[\]\n]{1,80}\]|^\s*(?:#|//)|\w\s?[-+*/]?=\s?\S",
    re.MULTILINE,
)
_ENOUGH_SIGNS = 2


def score_code(response: str, truth: str) -> Score:
    """Score by F1 of the multisets of code tokens, case and punctuation included.

    Args:
        response: what the model answered; where it has fenced blocks, they alone count.
        truth: the code that was expected.
    """
    return Score(f1(code_tokens(committed_text(response)), code_tokens(truth)), "code")


def code_tokens(text: str) -> list[str]:
    """Split the code of a text into tokens; without fences all of it is code."""
    return _TOKEN.findall(_fenced(text))


def looks_like_code(text: str) -> bool:
    """Tell whether a ground truth is code: fenced, or with several signs of code in it."""
    if _FENCE.search(text) is not None:
        return True
    signs = _SIGNS_OF_CODE.finditer(text)
    return sum(1 for _ in zip(range(_ENOUGH_SIGNS), signs, strict=False)) == _ENOUGH_SIGNS


def _fenced(text: str) -> str:
    """Take what stands in fences, or all where there are none; the last fence may be missing."""
    blocks: list[str] = []
    fence: str | None = None
    start = 0
    for mark in _FENCE.finditer(f"{text}\n"):
        if fence is None:
            fence, start = mark[1], mark.end()
        elif mark[1].startswith(fence):
            blocks.append(text[start : mark.start()])
            fence = None
    if fence is not None:
        blocks.append(text[start:])
    return "\n".join(blocks) if blocks else text
