"""Checks of what callers pass to the public functions: one for each kind of argument, with the error of who asks."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from operator import index
from reprlib import repr as shortened
from typing import TypeVar

from vsr.errors import VsrError

Item = TypeVar("Item")


def as_list(values: Iterable[Item], noun: str, expected: str, error: type[VsrError]) -> list[Item]:
    """Take a list of something; a text is none, nor is a mapping.

    Args:
        values: what was passed.
        noun: what it should be, in the plural, for messages.
        expected: what to pass, for messages.
        error: what to raise.
    """
    if not isinstance(values, str | bytes | Mapping):
        try:
            return list(values)
        except TypeError:
            pass  # nothing that can be iterated: the message below says more
    found = f"the text {shortened(values)}" if isinstance(values, str) else shortened(values)
    raise error(f"{noun} are {found}; expected {expected}")


def as_texts(values: Iterable[str], noun: str, expected: str, error: type[VsrError]) -> tuple[str, ...]:
    """Take a list of texts; arguments as in `as_list`."""
    texts = tuple(as_list(values, noun, expected, error))
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise error(f"{noun} hold {shortened(text)} at index {number}; expected {expected}")
    return texts


def repeated(names: Sequence[str]) -> list[str]:
    """Give the names that stand more than once, each once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def require_number(value: float, noun: str, expected: str, error: type[VsrError]) -> None:
    """Refuse what is no real number; `expected` says which one is wanted."""
    if not isinstance(value, Real):
        raise error(f"{noun} is {shortened(value)}; expected {expected}")


def require_whole_number(value: int, noun: str, expected: str, error: type[VsrError]) -> None:
    """Refuse what is no whole number, 2.0 included; `expected` says which one is wanted."""
    try:
        index(value)
    except TypeError:
        raise error(f"{noun} is {shortened(value)}; expected {expected}") from None


def require_path(value: str | os.PathLike[str], noun: str, error: type[VsrError]) -> None:
    """Refuse what names no file or folder."""
    if not isinstance(value, str | os.PathLike):
        raise error(f"{noun} is {shortened(value)}; expected a path, as text or pathlib.Path")


def require_kind(value: object, kind: type[object], noun: str, expected: str, error: type[VsrError]) -> None:
    """Refuse what is not of a class; `expected` says what makes one."""
    if not isinstance(value, kind):
        raise error(f"{noun} is {shortened(value)}; expected {expected}")
