"""Tables in Markdown."""

import re
from collections.abc import Iterable, Sequence

_MEANING = re.compile(r"[|{]")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"


def code(text: str) -> str:
    """Set a text as code."""
    return f"`{text}`"


def _cell(text: str) -> str:
    """Keep a cell on one line, and a bar or brace of its text from meaning anything; in code they do not."""
    parts = " ".join(text.split()).split("`")
    return "`".join(part if index % 2 else _MEANING.sub(r"\\\g<0>", part) for index, part in enumerate(parts))
