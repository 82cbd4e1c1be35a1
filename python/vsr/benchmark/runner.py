"""A run of the benchmark: ask what is missing, write every answer at once, stop in good order."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vsr.asking.budget import Budget
from vsr.asking.client import ChatClient
from vsr.asking.journal import Journal
from vsr.asking.preflight import refusals
from vsr.asking.queue import RetryPolicy
from vsr.asking.run import Run
from vsr.asking.schedule import Schedule
from vsr.benchmark.display import Display, NoDisplay, Snapshot, snapshot
from vsr.benchmark.estimate import Estimate, estimate
from vsr.benchmark.plan import Plan
from vsr.benchmark.recorder import Recorder, finish_scoring
from vsr.benchmark.resume import Line, OutputSummary, clear, nothing_yet, open_output, summarise_output
from vsr.benchmark.summary import BenchmarkSummary, summarise


@dataclass(frozen=True)
class RunSettings:
    """How a run goes about its plan; nothing here changes an answer.

    Attributes:
        policy: limits and patience.
        retry_failed: ask failed calls again.
        max_cost_usd: the run stops before all records of the output together cost more.
        seed: decides draws by weight and jitter.
        measure_first_token: have answers streamed, so that records say when they began.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    retry_failed: bool = False
    max_cost_usd: float | None = None
    seed: int = 0
    measure_first_token: bool = False


def preview(plan: Plan, output: str | os.PathLike[str], settings: RunSettings | None = None) -> Estimate:
    """Say what a run would take; nothing is asked, and nothing is opened for writing.

    Args:
        plan: what is asked.
        output: the records file; it need not exist.
        settings: as for `run_benchmark`.

    Raises:
        BenchmarkError: The output cannot be read, is no file of records, or another run is writing to it.
    """
    settings = settings or RunSettings()
    held = held_before(plan, output, settings)
    return estimate(plan, held, concurrency=settings.policy.concurrency, delay_s=settings.policy.delay_s)


def held_before(plan: Plan, output: str | os.PathLike[str], settings: RunSettings) -> OutputSummary:
    """Say what the records file holds of a plan before a run; nothing is opened for writing.

    Raises:
        BenchmarkError: As in `preview`.
    """
    held = nothing_yet(plan)
    if Path(output).exists():
        with open_output(output, is_read_only=True) as journal:
            held = summarise_output(journal, plan)
    if settings.retry_failed:
        held.ask_failed_again()
    return held


def run_benchmark(
    plan: Plan,
    output: str | os.PathLike[str],
    settings: RunSettings | None = None,
    display: Display | None = None,
    *,
    is_continued: bool = False,
) -> BenchmarkSummary:
    """Ask every model every query that the output does not hold yet.

    The first Ctrl-C lets the calls under way finish and returns; a second one gives them up. Called from another
    thread than the main one, signals are left alone.

    Args:
        plan: what is asked, and who.
        output: the records file; it is made, or taken up where an earlier run left it.
        settings: how the run goes about it.
        display: shows how it goes; nothing by default.
        is_continued: this process has asked a part of the plan just before: models are warm, and what the output holds
            was said.

    Returns:
        What was asked and what came of it.

    Raises:
        BenchmarkError: The output cannot be written, is in use, or holds lines that are no records.
    """
    settings = settings or RunSettings()
    display = display or NoDisplay()
    started = time.monotonic()
    with open_output(output) as journal:
        n_scored = finish_scoring(journal, plan.score)
        if n_scored:
            display.say(f"{n_scored:,} answers of a run that was killed are scored and written now.")
        held = summarise_output(journal, plan)
        if not is_continued:
            _report_held(held, journal, settings, display)
        aside = clear(journal, plan, held, retry_failed=settings.retry_failed)
        if aside is not None:
            display.say(f"Records made under other settings are asked again; the old ones are now in {aside}.")
        missing = {model.name: held.missing(model.name) for model in plan.models}
        budget = Budget(settings.max_cost_usd, held.cost_usd)
        run = Run(
            Schedule(plan.asked, missing, settings.policy, settings.seed, is_warm=is_continued),
            budget,
            lambda question: plan.questions[question].prompt,
            plan.asked.secrets,
            display.say,
            measures_first_token=settings.measure_first_token,
        )
        recorder = Recorder(journal, plan, held)

        def look() -> Snapshot:
            return snapshot(
                plan,
                held,
                recorder.written,
                run.schedule,
                seconds=time.monotonic() - started,
                now=time.monotonic(),  # which is the clock of the event loop, too
                n_in_flight=run.n_in_flight,
                cost_usd=budget.spent_usd,
            )

        with display:
            asyncio.run(_go(run, recorder, plan, missing, display, look))
    return summarise(
        plan,
        held,
        recorder.written,
        run.schedule,
        output=Path(output),
        seconds=time.monotonic() - started,
        cost_usd=budget.spent_usd,
        interrupted_by=run.interrupted_by,
        max_cost_usd=budget.limit_usd if run.is_out_of_money else None,
    )


async def _go(
    run: Run,
    recorder: Recorder,
    plan: Plan,
    missing: Mapping[str, Sequence[int]],
    display: Display,
    look: Callable[[], Snapshot],
) -> None:
    loop = asyncio.get_running_loop()

    def wake() -> None:
        loop.call_soon_threadsafe(run.wake)

    recorder.on_failure = wake
    try:
        async with ChatClient(plan.asked.secrets) as client:
            showing = asyncio.create_task(_keep_showing(display, look))
            try:
                for refusal in await refusals(model for model in plan.models if missing[model.name]):
                    display.say(refusal)
                await run.go(client, recorder)
            finally:
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)
    finally:
        recorder.close()
    display.show(look())


async def _keep_showing(display: Display, look: Callable[[], Snapshot]) -> None:
    while True:
        display.show(look())
        await asyncio.sleep(display.interval_s)


def _report_held(held: OutputSummary, journal: Journal[Line], settings: RunSettings, display: Display) -> None:
    """Say what was found in the output, where that is not simply part of the plan."""
    if journal.n_torn_bytes:
        display.say(
            f"{journal.path}: the last line was torn ({journal.n_torn_bytes} bytes, now in "
            f"{journal.beside('torn').name}); that call is asked again."
        )
    if held.n_failed:
        what = "are asked again" if settings.retry_failed else "stay as they are; --retry-failed asks them again"
        display.say(f"{held.n_failed:,} calls failed in an earlier run and {what}.")
    if held.n_repeated:
        display.say(f"{held.n_repeated:,} records stood in the file twice; one of each stays.")
    if held.n_foreign:
        display.say(f"{held.n_foreign:,} records do not say how they were made; they stay, and their calls are asked.")
    if held.n_others:
        display.say(f"{held.n_others:,} records are of queries or models that are not asked now; they stay.")
    if held.n_other_truths:
        display.say(
            f"{held.n_other_truths:,} records were scored against another ground truth than the query file has "
            "now; they stay: correct it in the output and run `vsr-train score`, or name another output to ask again."
        )
