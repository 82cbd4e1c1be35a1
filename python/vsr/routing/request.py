"""A request to a router, and how it is checked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy.typing as npt

from vsr.choice.candidates import Candidate
from vsr.choice.objective import Objective
from vsr.errors import SelectionError

NOTHING_ASKED = "neither a query nor an embedding was given; expected one of them"


@dataclass(frozen=True, eq=False, slots=True)
class Request:
    """One query, and what is asked of the choice.

    Attributes:
        query: the text; not read where there is an embedding.
        category: its category; None to have it predicted.
        signals: for the rules of decisions, type of a condition -> names of that type that hold for the query.
        candidates: models on offer, names or references; None offers all.
        default: the model to answer with when no candidate is known.
        objective: what is maximised; the router's own without it.
        embedding: (dim,) ready vector of the query.
    """

    query: str | None = None
    category: str | None = None
    signals: Mapping[str, Collection[str]] | None = None
    candidates: Sequence[Candidate] | None = None
    default: str | None = None
    objective: Objective | None = None
    embedding: npt.ArrayLike | None = None


def checked_signals(signals: Mapping[str, Collection[str]] | None) -> dict[str, frozenset[str]]:
    """Take signals as callers pass them.

    Raises:
        SelectionError: They are no mapping of names to lists of names.
    """
    expected = 'expected a mapping such as {"keyword": ["urgent"]}'
    if signals is None:
        return {}
    if not isinstance(signals, Mapping):
        raise SelectionError(f"signals are {signals!r}; {expected}")
    checked = {}
    for kind, names in signals.items():
        if isinstance(names, str) or not isinstance(names, Collection) or not all(isinstance(n, str) for n in names):
            raise SelectionError(f"signals of type {kind!r} are {names!r}; {expected}")
        checked[str(kind).strip().lower()] = frozenset(names)
    return checked
