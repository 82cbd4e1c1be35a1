"""The flags of `train` and `evaluate` that say how queries are held out."""

from collections.abc import Callable

import click

from vsr.cli.options import FiniteRange
from vsr.cli.sections import OWN, option

_Command = Callable[..., object]  # a command's function before click makes a command of it


def splits_option(section: str = OWN) -> Callable[[_Command], _Command]:
    """Add `--splits`; the command gets it as `splits: int | None`."""
    return option(
        "--splits",
        section=section,
        type=click.IntRange(min=1),
        metavar="N",
        show_default="3; 1 on a sample of many",
        help="Split the queries into folds so often; 1 takes a third of the time.",
    )


def holdout_option(section: str = OWN) -> Callable[[_Command], _Command]:
    """Add `--holdout`; the command gets it as `holdout: float | None`."""
    return option(
        "--holdout",
        section=section,
        type=FiniteRange(0.0, 1.0, min_open=True, max_open=True),
        metavar="0..1",
        show_default="5 folds",
        help="Hold out this share of the queries once instead.",
    )


def compared_option(section: str = OWN) -> Callable[[_Command], _Command]:
    """Add `--compare-on`; the command gets it as `compare_on: int | None`."""
    return option(
        "--compare-on",
        section=section,
        type=click.IntRange(min=1),
        metavar="N",
        show_default="20,000",
        help="Of more queries compare on a random sample of so many; training is on all.",
    )
