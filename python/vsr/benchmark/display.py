"""How a run goes, for whoever watches: a moving table on a terminal, a line now and then elsewhere."""

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from vsr.asking.schedule import Schedule
from vsr.benchmark.plan import Plan
from vsr.benchmark.recorder import Written
from vsr.benchmark.resume import OutputSummary


@dataclass(frozen=True)
class ModelProgress:
    """How far one model is.

    Attributes:
        name: the model.
        n_calls: calls that it has in all.
        n_done: calls with a record, earlier ones included.
        n_failed: failed calls among them.
        latency_s: mean of this run's answers; None before the first.
        cost_usd: of this run's answers.
        stopped: why it was stopped, if it was.
    """

    name: str
    n_calls: int
    n_done: int
    n_failed: int
    latency_s: float | None
    cost_usd: float
    stopped: str | None


@dataclass(frozen=True)
class Snapshot:
    """How far a run is.

    Attributes:
        models: one entry a model.
        n_written: records that this run wrote.
        n_left: calls that are still to come; those of stopped models are not.
        n_in_flight: requests under way.
        seconds: since the start.
        cost_usd: so far, earlier records included.
        waits: what is waited for, where that takes long.
    """

    models: tuple[ModelProgress, ...]
    n_written: int
    n_left: int
    n_in_flight: int
    seconds: float
    cost_usd: float
    waits: tuple[str, ...] = ()

    @property
    def n_done(self) -> int:
        """Calls with a record."""
        return sum(model.n_done for model in self.models)

    @property
    def n_failed(self) -> int:
        """Failed calls."""
        return sum(model.n_failed for model in self.models)

    @property
    def n_calls(self) -> int:
        """Calls of the whole plan."""
        return sum(model.n_calls for model in self.models)

    @property
    def calls_per_s(self) -> float:
        """Records per second in this run."""
        return self.n_written / self.seconds if self.seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds still to come at this rate; None before anything can be said."""
        return self.n_left / self.calls_per_s if self.n_written >= 3 else None


def snapshot(
    plan: Plan,
    held: OutputSummary,
    written: Written,
    schedule: Schedule,
    *,
    seconds: float,
    now: float,
    n_in_flight: int,
    cost_usd: float,
) -> Snapshot:
    """Look at a run as it is now; `now` is a moment on the clock of its schedule."""
    models = []
    n_left = 0
    for model in plan.models:
        measured, failures = written.measured[model.name], written.failures[model.name].total()
        n_done = held.n_done_of(model.name) + measured.n_answers + failures
        reason = schedule.stopped.get(model.name)
        n_calls = plan.n_calls_of(model.name)
        n_left += 0 if reason else n_calls - n_done
        models.append(
            ModelProgress(
                name=model.name,
                n_calls=n_calls,
                n_done=n_done,
                n_failed=held.failures[model.name].total() + failures,
                latency_s=measured.mean_latency_s,
                cost_usd=measured.cost_usd,
                stopped=None if reason is None else reason.text,
            )
        )
    return Snapshot(
        tuple(models),
        written.n_records,
        n_left,
        n_in_flight,
        seconds,
        cost_usd,
        tuple(schedule.waits(now)),
    )


class Display(Protocol):
    """Shows a run; a context around it."""

    interval_s: float

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """Say something that should stay on the screen."""
        ...

    def show(self, now: Snapshot) -> None:
        """Show how far the run is; called every `interval_s`, and once at the end."""
        ...


class NoDisplay:
    """Shows nothing."""

    interval_s = 3600.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def say(self, text: str) -> None:
        """Say nothing."""

    def show(self, now: Snapshot) -> None:
        """Show nothing."""
