"""What groups of flags are made of: a command gets each group as one argument, and numbers that are numbers."""

import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Command = Callable[..., object]  # a command's function before click makes a command of it
Decorator = Callable[[Command], Command]


class FiniteRange(click.FloatRange):
    """A number within limits; NaN, which passes every comparison of click's, is refused."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


SHARE = FiniteRange(0.0, 1.0)


def flags_given(group: "DataclassInstance", names: Iterable[str] | None = None) -> dict[str, Any]:
    """Give those flags of a group that were given, with their values; None and false are flags that were not.

    Args:
        group: has a field for every flag.
        names: the fields to look at; all of them without it.
    """
    values = {name: getattr(group, name) for name in names or [field.name for field in fields(group)]}
    return {
        f"--{name.replace('_', '-')}": value
        for name, value in values.items()
        if value is not None and value is not False
    }


def collected(
    command: Command,
    name: str,
    prefix: str,
    group: Callable[..., object],
    declarations: tuple[Decorator, ...],
) -> Command:
    """Put the declared options on a command that takes them as one argument `name`."""

    @wraps(command)
    def with_group(*args: object, **values: object) -> object:
        fields = {key.removeprefix(prefix): values.pop(key) for key in tuple(values) if key.startswith(prefix)}
        return command(*args, **{name: group(**fields)}, **values)

    decorated: Command = with_group
    for declare in reversed(declarations):  # the decorator that is applied last comes first in the help
        decorated = declare(decorated)
    return decorated
