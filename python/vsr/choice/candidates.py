"""The models that are on offer for a query: plain names, or references as a configuration has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from vsr._checks import as_list
from vsr.errors import SelectionError
from vsr.prior.category_means import IntArray


class ModelReference(Protocol):
    """A candidate as a configuration names it."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def lora_name(self) -> str | None:
        """Name of the LoRA adapter that is asked in its place, if any."""


Candidate = str | ModelReference | Mapping[str, object]


@dataclass(frozen=True, eq=False)
class Offer:
    """Candidates that the artefact knows, and those that it does not.

    Attributes:
        names: of those that it knows: adapters where references have one, else models.
        columns: of the same in the artefact.
        models: of the same, the models under the adapters.
        references: of the same, as they were passed in; None where all models are on offer.
        unknown: names of the others.
        index: the columns as an array.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    models: tuple[str, ...]
    references: tuple[Candidate | None, ...]
    unknown: tuple[str, ...]
    index: IntArray = field(init=False)

    def __post_init__(self) -> None:
        """Make the array of columns once."""
        object.__setattr__(self, "index", np.array(self.columns, dtype=np.int64))

    @classmethod
    def of(cls, models: Sequence[str], order: Sequence[int], candidates: Sequence[Candidate] | None) -> "Offer":
        """Sort candidates into those that are among the models of an artefact and those that are not.

        Args:
            models: of the artefact.
            order: its columns, those first that win a tie; what is known of an offer stands in this order.
            candidates: names or references, the first of those that answer to one name; None offers all.
        """
        place = {column: rank for rank, column in enumerate(order)}
        if candidates is None:
            names = tuple(models[column] for column in order)
            return cls(names, tuple(order), names, (None,) * len(names), ())
        column_of = {name: column for column, name in enumerate(models)}
        known: dict[str, tuple[int, str, Candidate]] = {}
        unknown = []
        for candidate in as_list(candidates, "candidates", "a list of names or references", SelectionError):
            model, adapter = candidate_names(candidate)
            # An adapter that was measured itself speaks for itself; else its model does.
            column = column_of.get(adapter, column_of.get(model)) if adapter else column_of.get(model)
            if column is None:
                unknown.append(adapter or model)
            else:
                known.setdefault(adapter or model, (column, model, candidate))
        by_rank = sorted(known, key=lambda name: place[known[name][0]])
        columns, bases, references = zip(*(known[name] for name in by_rank), strict=True) if known else ((), (), ())
        return cls(tuple(by_rank), columns, bases, references, tuple(unknown))


def candidate_names(candidate: Candidate) -> tuple[str, str | None]:
    """Give the model and the adapter that a candidate names.

    Raises:
        SelectionError: It names no model.
    """
    if isinstance(candidate, str):
        return candidate, None
    if isinstance(candidate, Mapping):
        model, adapter = candidate.get("model"), candidate.get("lora_name")
    else:
        model, adapter = getattr(candidate, "model", None), getattr(candidate, "lora_name", None)
    if not isinstance(model, str) or not (adapter is None or isinstance(adapter, str)):
        raise SelectionError(
            f"candidate {candidate!r} names no model; expected a name, or a reference with `model` and, if wanted, "
            "`use_reasoning` and `lora_name`"
        )
    return model, adapter or None
