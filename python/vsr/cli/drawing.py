"""Which of the calls are made: the flags that leave some out, and the rounds that they mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.option_groups import FiniteRange, collected, flags_given
from vsr.cli.options import EmbeddingOptions
from vsr.cli.sections import option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from vsr.benchmark.allocation import Allocation
    from vsr.benchmark.plan import Plan

_SHARE = FiniteRange(0.0, 1.0, min_open=True)
_USD = FiniteRange(0.0, min_open=True)


@dataclass(frozen=True)
class DrawBudget:
    """How many of the calls are made.

    Attributes:
        amount: share of the calls in (0, 1], or USD.
        is_usd: which of both.
    """

    amount: float
    is_usd: bool


class _Budget(click.ParamType[DrawBudget]):
    """A share of the calls, `0.4`, or what they may cost, `$2.50`."""

    name = "budget"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> DrawBudget:  # noqa: ANN401
        """Read it."""
        text = str(value)
        if text.startswith("$"):
            return DrawBudget(_USD(text[1:], param, ctx), is_usd=True)
        return DrawBudget(_SHARE(text, param, ctx), is_usd=False)


@dataclass(frozen=True)
class DrawOptions:
    """Which of the calls are made, as the flags say; None or false where a flag was not given."""

    budget: DrawBudget | None = None
    until_decided: bool = False
    only_model: str | None = None
    probe: int | None = None

    def given(self) -> list[str]:
        """Flags that were given."""
        return list(flags_given(self))

    @property
    def makes_part(self) -> bool:
        """Whether vectors decide which calls are made."""
        return self.budget is not None or self.until_decided or self.probe is not None

    def check(self, samples: int | None) -> None:
        """Refuse flags that would do nothing.

        Args:
            samples: of `--samples`.

        Raises:
            click.UsageError: One of them has no effect beside the others.
        """
        if self.probe is not None and self.only_model is None:
            raise click.UsageError("--probe needs --only-model NEW: who is asked these queries.")
        if self.budget is not None and self.only_model is not None:
            raise click.UsageError("--budget has no effect with --only-model: --probe N says how many it is asked.")
        if self.until_decided and self.only_model is not None:
            raise click.UsageError("--until-decided contradicts --only-model: a verdict is about all models.")
        if samples is not None and self.makes_part:
            raise click.UsageError(
                "--samples contradicts --budget, --until-decided and --probe: ask few cells, or every cell often."
            )

    def n_cells(self, plan: "Plan") -> int:
        """Say how many calls of all that lets.

        Raises:
            click.UsageError: The budget is in USD, and nothing has a price.
        """
        if self.budget is None:
            return plan.n_calls
        share = self.budget.amount
        if self.budget.is_usd:
            from vsr.benchmark.estimate import usual_cost_usd

            whole_usd = usual_cost_usd(plan)
            if not whole_usd:
                raise click.UsageError(
                    "--budget in USD has no effect: no model in the configuration has prices (pricing)."
                )
            share = min(share / whole_usd, 1.0)
        return max(round(share * plan.n_calls), 1)

    def allocation(self, plan: "Plan", vectors: "npt.NDArray[np.float32]", n_cells: int, seed: int) -> "Allocation":
        """Deal the queries to rounds, or to the parts after which the verdict is looked at."""
        from vsr.benchmark.allocation import Allocation
        from vsr.data.categories import category_codes
        from vsr.data.outcomes import known_category

        codes = category_codes([known_category(question.query.category) for question in plan.questions])
        make = Allocation.in_looks if self.until_decided else Allocation.make
        return make(vectors, codes, len(plan.models), n_cells, seed)

    def say(self, rounds: "Allocation", n_cells: int, n_all: int) -> None:
        """Say what is asked in rounds."""
        if not self.until_decided:
            terminal.say(f"Budget: about {n_cells:,} of {n_all:,} calls.")
            return
        n_queries = sum(len(own.rows) for own in rounds.rounds)
        n_looks = terminal.counted(len(rounds.rounds), "look")
        ceiling = terminal.counted(n_queries, "query", "queries")
        terminal.say(f"Until the verdict is decided: {n_looks}, at most {ceiling}, {n_cells:,} of {n_all:,} calls.")


def draw_options(section: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the flags that leave calls out; the command gets them as `draw: DrawOptions`.

    Args:
        section: the heading that they stand under in the help.
    """
    declarations = (
        option(
            "--budget",
            "draw_budget",
            section=section,
            type=_Budget(),
            metavar="SHARE|$USD",
            help="Make this share of the calls, or those that cost so much with answers of 300 tokens (and stop there, "
            "but for --max-cost): a random core first, then where it is open which model is best.",
        ),
        option(
            "--until-decided",
            "draw_until_decided",
            section=section,
            is_flag=True,
            help="Stop when it is decided whether routing pays, or more would not decide it: four looks at queries in "
            "random order, of which every model is asked. --budget is the most.",
        ),
        option("--only-model", "draw_only_model", section=section, metavar="NAME", help="Ask this model alone."),
        option(
            "--probe",
            "draw_probe",
            section=section,
            type=click.IntRange(min=1),
            metavar="N",
            help="Ask it N queries that were asked of the other models, some of every kind.",
        ),
    )
    return lambda command: collected(command, "draw", "draw_", DrawOptions, declarations)


def vectors_of(plan: "Plan", embedding: EmbeddingOptions) -> "npt.NDArray[np.float32]":
    """Embed the queries of a plan: (n_questions, dim) of unit length."""
    import numpy as np

    from vsr.cli.embedding import embed_queries
    from vsr.embedding.vectors import unit_rows

    return np.asarray(
        unit_rows(embed_queries([question.query.prompt for question in plan.questions], embedding).embeddings)
    )
