"""What groups of flags are made of: a command gets each group as one argument, and numbers that are numbers."""

import math
from collections.abc import Callable
from functools import wraps

import click

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
