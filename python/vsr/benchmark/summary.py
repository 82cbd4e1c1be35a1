"""What a run has come to: counts per model and reason, cost, quality, and whether too much failed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vsr.asking.schedule import Schedule
from vsr.benchmark.plan import Plan
from vsr.benchmark.recorder import Written
from vsr.benchmark.resume import Measured, OutputSummary


@dataclass(frozen=True)
class ModelSummary:
    """One model's calls, those of earlier runs on the same output included.

    Attributes:
        name: the model.
        n_calls: calls of the plan.
        n_answers: calls with an answer.
        failures: failed calls by kind.
        n_not_asked: calls that were given up before they were asked, since the model was stopped.
        stopped: why it was stopped; None where it was not.
        quality: mean over the scored answers; None where nothing was scored.
        latency_s: mean over the answers; None without answers.
        cost_usd: of all its answers.
        n_unparsed: answers that commit to nothing and count as 0.
        n_unscored: answers that there is nothing to score against.
    """

    name: str
    n_calls: int
    n_answers: int
    failures: Mapping[str, int]
    n_not_asked: int
    stopped: str | None
    quality: float | None
    latency_s: float | None
    cost_usd: float
    n_unparsed: int
    n_unscored: int

    @property
    def n_failed(self) -> int:
        """Calls that failed, or were given up."""
        return sum(self.failures.values()) + self.n_not_asked


@dataclass(frozen=True)
class BenchmarkSummary:
    """The end of a run.

    Attributes:
        output: the records file.
        models: one summary a model, in the order of the configuration.
        n_asked: records that this run wrote.
        n_before: calls that the output held already.
        seconds: how long the run took.
        cost_usd: of all records of the plan, warm-up calls of this run included.
        interrupted_by: the signal that stopped it; None where none did.
        max_cost_usd: the limit on the cost, if it stopped the run: the next call could have cost more than was left.
    """

    output: Path
    models: tuple[ModelSummary, ...]
    n_asked: int
    n_before: int
    seconds: float
    cost_usd: float
    interrupted_by: int | None = None
    max_cost_usd: float | None = None

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody stopped it."""
        return self.interrupted_by is not None

    @property
    def is_out_of_money(self) -> bool:
        """Whether the limit on the cost stopped the run."""
        return self.max_cost_usd is not None

    @property
    def n_calls(self) -> int:
        """Calls of the plan."""
        return sum(model.n_calls for model in self.models)

    @property
    def n_failed(self) -> int:
        """Calls that failed, or were given up since their model was stopped."""
        return sum(model.n_failed for model in self.models)

    @property
    def n_missing(self) -> int:
        """Calls that were not asked yet and that the next run would ask."""
        return self.n_calls - sum(model.n_answers + sum(model.failures.values()) for model in self.models)

    @property
    def failed_share(self) -> float:
        """Share of failed calls among those that were asked or given up."""
        n_over = self.n_failed + sum(model.n_answers for model in self.models)
        return self.n_failed / n_over if n_over else 0.0


def summarise(
    plan: Plan,
    held: OutputSummary,
    written: Written,
    schedule: Schedule,
    *,
    output: Path,
    seconds: float,
    cost_usd: float,
    interrupted_by: int | None,
    max_cost_usd: float | None,
) -> BenchmarkSummary:
    """Join what the output held before with what this run wrote."""
    models = tuple(
        _summary_of(
            model.name,
            plan.n_calls_of(model.name),
            held.measured[model.name].plus(written.measured[model.name]),
            held.failures[model.name] + written.failures[model.name],
            schedule,
        )
        for model in plan.models
    )
    return BenchmarkSummary(
        output=output,
        models=models,
        n_asked=written.n_records,
        n_before=held.n_done,
        seconds=seconds,
        cost_usd=cost_usd,
        interrupted_by=interrupted_by,
        max_cost_usd=max_cost_usd,
    )


def _summary_of(
    name: str, n_calls: int, measured: Measured, failures: Counter[str], schedule: Schedule
) -> ModelSummary:
    stopped = schedule.stopped.get(name)
    return ModelSummary(
        name=name,
        n_calls=n_calls,
        n_answers=measured.n_answers,
        failures=dict(failures.most_common()),
        n_not_asked=schedule.n_not_asked.get(name, 0),
        stopped=None if stopped is None else stopped.text,
        quality=measured.mean_quality,
        latency_s=measured.mean_latency_s,
        cost_usd=measured.cost_usd,
        n_unparsed=measured.n_unparsed,
        n_unscored=measured.n_unscored,
    )
