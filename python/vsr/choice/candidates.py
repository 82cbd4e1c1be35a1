"""The models that are on offer for a query: plain names, or references as a configuration has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vsr._checks import as_list
from vsr.errors import SelectionError


class ModelReference(Protocol):
    """A candidate as a configuration names it."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def lora_name(self) -> str | None:
        """Name of the LoRA adapter that is asked in its place, if any."""


Candidate = str | ModelReference | Mapping[str, object]


@dataclass(frozen=True)
class Offer:
    """Candidates that the artefact knows, and those that it does not."""

    names: list[str]
    columns: list[int]
    references: list[Candidate | None]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, models: Sequence[str], candidates: Sequence[Candidate] | None) -> "Offer":
        """Sort candidates into those that are among the models of an artefact and those that are not."""
        if candidates is None:
            return cls(list(models), list(range(len(models))), [None] * len(models), ())
        column_of = {name: column for column, name in enumerate(models)}
        offer = cls([], [], [], ())
        unknown = []
        for candidate in as_list(candidates, "candidates", "a list of names or references", SelectionError):
            model, adapter = candidate_names(candidate)
            # An adapter that was measured itself speaks for itself; else its model does.
            column = column_of.get(adapter, column_of.get(model)) if adapter else column_of.get(model)
            name = adapter or model
            if column is None:
                unknown.append(name)
            elif name not in offer.names:
                offer.names.append(name)
                offer.columns.append(column)
                offer.references.append(candidate)
        return cls(offer.names, offer.columns, offer.references, tuple(unknown))


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
