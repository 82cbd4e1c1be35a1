"""What scoring one response gives."""

from dataclasses import dataclass
from typing import Literal

SCORER_VERSION = "4"
"""Stands in every record's `vsr_scorer`: it grows with every change that gives some response another quality."""

Kind = Literal["multiple_choice", "numeric", "text", "code", "exact", "contains", "coverage", "none"]
"""The rules: `text` and `code` are F1 of tokens, `coverage` the share of concepts used, `none` has no ground truth."""


@dataclass(frozen=True, slots=True)
class Score:
    """The quality of one response, and how it was found.

    Attributes:
        value: the quality, in [0, 1].
        kind: the rule that applied.
        extracted: what the response commits to: the option's letter in upper case, or the number (the normalised
            expression where the answer is none) in its shortest form; None for rules that extract nothing, and where
            nothing was found.
        unparsed: the rule looks for a committed answer and found none; the value is 0 then.
        unscored: there is neither a ground truth nor a quality of the record's own; the value, 0.5, is a filler.
    """

    value: float
    kind: Kind
    extracted: str | None = None
    unparsed: bool = False
    unscored: bool = False
