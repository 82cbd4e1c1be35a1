"""`--metric`: by which rule all answers are scored, whatever the files say."""

from collections.abc import Callable
from typing import Any

import click

from vsr.cli.sections import OWN, option


class _Metric(click.ParamType[str]):
    """The name of a scoring rule."""

    name = "metric"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the name."""
        from vsr.scoring import METRICS, is_unknown_metric, meant_metric

        if is_unknown_metric(value) or not value.strip():
            meant = meant_metric(value)
            hint = f"did you mean {meant}?" if meant else f"expected one of {', '.join(METRICS)}."
            self.fail(f"{value!r} names no scoring rule; {hint}", param, ctx)
        return value


def metric_option(section: str = OWN) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare `--metric`.

    Args:
        section: the heading that it stands under in the help.
    """
    return option(
        "--metric",
        section=section,
        type=_Metric(),
        metavar="NAME",
        help="Score all answers by this rule, whatever the file says.",
    )
