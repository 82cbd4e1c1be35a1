"""What an LLM is asked: the query, and its choices with their letters where they are given apart."""

import ast
import functools
import json
import re
import string
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import msgspec

from vsr.data.messages import Conversation, ConversationPrompt
from vsr.errors import RecordError

# pandas writes a cell that holds arrays as {'text': array(['a', 'b'], dtype=object), ...}.
_ARRAY = re.compile(r"array\(\s*(\[.*?\])\s*(?:,\s*dtype=[^()]*?)?\)", re.DOTALL)
EXPECTED_CHOICES = (
    'a list of texts, an object {"text": [...], "labels": [...]} with one label a text, or one of the two as a string'
)


class ChoicesObject(msgspec.Struct, frozen=True, gc=False):
    """The object form of choices as it stands in a file; `label` is the name that ARC uses for `labels`."""

    text: list[str | int | float]
    labels: list[str | int] | None = None
    label: list[str | int] | None = None


RawChoices = list[str | int | float] | ChoicesObject | str | None
"""The choices of a query as a file holds them: a list of texts, an object, or the string form of either."""


@dataclass(frozen=True)
class Choices:
    """The options of a multiple-choice query, in order.

    Attributes:
        texts: what each option says.
        labels: what each option is called, `A`, `B`, ... unless the file has names of its own.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]


def parse_choices(value: object) -> Choices | None:
    """Read choices in any of the forms that files hold; None where there are none.

    Args:
        value: a list of texts, an object or mapping `{text, labels}`, the string form of either (JSON or Python, also
            as pandas writes arrays), `Choices`, or None. An empty list and a blank string mean that there are none.

    Raises:
        RecordError: It is none of these, or texts and labels differ in number.
    """
    if value is None or isinstance(value, Choices):
        return value
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, ChoicesObject):
        return _from_parts(value.text, value.labels if value.labels is not None else value.label)
    if isinstance(value, Mapping):
        labels = value.get("labels")
        return _from_parts(value.get("text"), labels if labels is not None else value.get("label"))
    return _from_parts(value, None)


@functools.lru_cache(maxsize=4096)
def _parse_text(text: str) -> Choices | None:
    if not text.strip():
        return None
    for read in (json.loads, ast.literal_eval, lambda cell: ast.literal_eval(_ARRAY.sub(r"\1", cell))):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if value is None or isinstance(value, list | tuple | dict):
            return parse_choices(value)
    raise RecordError(f"choices {_cut(text)!r} cannot be read; expected {EXPECTED_CHOICES}")


def _from_parts(texts: object, labels: object) -> Choices | None:
    if not _is_row(texts) or (labels is not None and not _is_row(labels)):
        raise RecordError(f"choices cannot be read; expected {EXPECTED_CHOICES}")
    if not texts:
        return None
    if labels is None:
        return Choices(tuple(map(str, texts)), tuple(map(option_label, range(len(texts)))))
    if len(labels) != len(texts):
        raise RecordError(f"choices have {len(texts)} texts and {len(labels)} labels; expected {EXPECTED_CHOICES}")
    return Choices(tuple(map(str, texts)), tuple(str(label).strip() for label in labels))


def _is_row(value: object) -> TypeGuard[Sequence[str | int | float]]:
    return isinstance(value, list | tuple) and all(isinstance(item, str | int | float) for item in value)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def option_label(index: int) -> str:
    """Name the option at an index (from 0): A to Z, then AA, AB and so on."""
    letters = string.ascii_uppercase
    return letters[index] if index < len(letters) else option_label(index // 26 - 1) + letters[index % 26]


def render_prompt(query: str, choices: object = None, messages: object = None) -> str:
    """Write the prompt that an LLM is asked: the query, followed by its choices, one a line with their letters.

    A conversation is asked as it is: its prompt is a `ConversationPrompt`, whatever stands beside it.

    Args:
        query: the query's text; without choices it is the prompt as it stands.
        choices: in any form that `parse_choices` reads.
        messages: a conversation in the place of both.

    Raises:
        RecordError: The choices or the messages cannot be read.
    """
    if messages is not None:
        return ConversationPrompt.of(Conversation.parse(messages))
    parsed = parse_choices(choices)
    if parsed is None:
        return query
    options = (f"{label}) {text}" for label, text in zip(parsed.labels, parsed.texts, strict=True))
    return "\n".join((query, *options))


def unique_key(prompt: str) -> str:
    """Give the text under which two prompts count as one query: NFC, lower case, white space collapsed.

    Args:
        prompt: a rendered prompt.
    """
    return " ".join(unicodedata.normalize("NFC", prompt).lower().split())


def unique_prompts(prompts: Iterable[str]) -> list[str]:
    """Give every prompt that counts as another query, as it is written first: the rows that records would have.

    Args:
        prompts: rendered prompts, in order.
    """
    prompt_of_key: dict[str, str] = {}
    for prompt in dict.fromkeys(prompts):  # most files repeat a query in one spelling: normalise it once
        prompt_of_key.setdefault(unique_key(prompt), prompt)
    return list(prompt_of_key.values())


def unique_rows(prompts: Iterable[str]) -> list[int]:
    """Give the row of every prompt among those of `unique_prompts`: 0, 1, ... in order of first appearance.

    Args:
        prompts: rendered prompts, in order.
    """
    row_of_key: dict[str, int] = {}
    return [row_of_key.setdefault(unique_key(prompt), len(row_of_key)) for prompt in prompts]
