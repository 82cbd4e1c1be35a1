"""A run: ask what is missing, write every answer at once, stop in good order."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from vsr.asking.budget import Budget, highest_cost_usd
from vsr.asking.call import Answer
from vsr.asking.client import ChatClient
from vsr.asking.journal import Journal, Line
from vsr.asking.queue import Call, RetryPolicy
from vsr.asking.schedule import Schedule
from vsr.benchmark.display import Display, NoDisplay, Snapshot, snapshot
from vsr.benchmark.estimate import Estimate, estimate
from vsr.benchmark.plan import Plan
from vsr.benchmark.recorder import Recorder
from vsr.benchmark.resume import OutputSummary, clear, nothing_yet, summarise_output
from vsr.benchmark.summary import BenchmarkSummary, summarise

_WARM_UP_PROMPT = "Reply with the word ready."


@dataclass(frozen=True)
class RunSettings:
    """How a run goes about its plan; nothing here changes an answer.

    Attributes:
        policy: limits and patience.
        retry_failed: ask failed calls again.
        max_cost_usd: the run stops before all records of the output together cost more.
        seed: decides draws by weight and jitter.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    retry_failed: bool = False
    max_cost_usd: float | None = None
    seed: int = 0


def preview(plan: Plan, output: str | os.PathLike[str], settings: RunSettings | None = None) -> Estimate:
    """Say what a run would take; nothing is asked and nothing is changed.

    Args:
        plan: what is asked.
        output: the records file; it need not exist.
        settings: as for `run_benchmark`.

    Raises:
        BenchmarkError: The output cannot be read, or another run is writing to it.
    """
    settings = settings or RunSettings()
    held = nothing_yet(plan)
    if Path(output).exists():
        with Journal(output, Line) as journal:
            held = summarise_output(journal, plan)
    if settings.retry_failed:
        held.ask_failed_again()
    return estimate(plan, held, concurrency=settings.policy.concurrency, delay_s=settings.policy.delay_s)


def run_benchmark(
    plan: Plan,
    output: str | os.PathLike[str],
    settings: RunSettings | None = None,
    display: Display | None = None,
) -> BenchmarkSummary:
    """Ask every model every query that the output does not hold yet.

    The first Ctrl-C lets the calls under way finish and returns; a second one gives them up. Called from another
    thread than the main one, signals are left alone.

    Args:
        plan: what is asked, and who.
        output: the records file; it is made, or taken up where an earlier run left it.
        settings: how the run goes about it.
        display: shows how it goes; nothing by default.

    Returns:
        What was asked and what came of it.

    Raises:
        BenchmarkError: The output cannot be written, is in use, or holds lines that are no records.
    """
    settings = settings or RunSettings()
    display = display or NoDisplay()
    with Journal(output, Line) as journal:
        held = summarise_output(journal, plan)
        _report_held(held, journal, settings, display)
        aside = clear(journal, plan, held, retry_failed=settings.retry_failed)
        if aside is not None:
            display.say(f"Records made under other settings are asked again; the old ones are now in {aside}.")
        run = _Run(plan, journal, held, settings, display)
        with display:
            asyncio.run(run.go())
    return run.summary()


def _report_held(held: OutputSummary, journal: Journal[Line], settings: RunSettings, display: Display) -> None:
    """Say what was found in the output, where that is not simply part of the plan."""
    if journal.n_mended_bytes:
        display.say(
            f"{journal.path}: the last line was torn ({journal.n_mended_bytes} bytes); that call is asked again."
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


class _Run:
    """One run from its first call to its last."""

    def __init__(
        self, plan: Plan, journal: Journal[Line], held: OutputSummary, settings: RunSettings, display: Display
    ) -> None:
        missing = {model.name: held.missing(model.name) for model in plan.models}
        self.schedule = Schedule(plan.cast, missing, settings.policy, settings.seed)
        self.is_interrupted = False
        self.is_out_of_money = False
        self._plan = plan
        self._journal = journal
        self._held = held
        self._concurrency = settings.policy.concurrency
        self._display = display
        self._budget = Budget(settings.max_cost_usd, held.cost_usd)
        self._n_before = held.n_done
        self._started = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._problem: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def go(self) -> None:
        """Ask until nothing is left, or something says stop; whatever was answered is written."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._wake)

        self._recorder = Recorder(self._journal, self._plan, self._held, on_failure=wake)
        try:
            with self._signals(loop):
                async with ChatClient(self._plan.cast.secrets) as client:
                    showing = asyncio.create_task(self._keep_showing())
                    try:
                        await self._ask_all(client, loop)
                    finally:
                        showing.cancel()
                        for task in self._tasks:
                            task.cancel()
                        await asyncio.gather(showing, *self._tasks, return_exceptions=True)
        finally:
            self._recorder.close()
        if self._problem is not None:
            raise self._problem
        self._display.show(self._snapshot())

    async def _ask_all(self, client: ChatClient, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            wake_at: float | None = None
            is_stopping = self.is_interrupted or self._recorder.failure is not None or self._problem is not None
            while not is_stopping and len(self._tasks) < self._concurrency:
                if self._recorder.is_behind:
                    wake_at = loop.time() + 0.02
                    break
                found = self.schedule.take(loop.time())
                if not isinstance(found, Call):
                    wake_at = found
                    break
                if not self._start(found, client):
                    is_stopping = True
            if not self._tasks and (is_stopping or wake_at is None):
                return
            await self._wait(loop, wake_at)

    def _start(self, call: Call, client: ChatClient) -> bool:
        """Send a call on its way, if there is money for it."""
        question = None if call.question is None else self._plan.questions[call.question]
        prompt = _WARM_UP_PROMPT if question is None else question.prompt
        highest_usd = highest_cost_usd(call.queue.model, prompt)
        if not self._budget.reserve(highest_usd):
            self.schedule.put_back(call)
            self.is_out_of_money = not self._tasks
            return False
        task = asyncio.get_running_loop().create_task(self._attempt(call, prompt, highest_usd, client))
        self._tasks.add(task)
        task.add_done_callback(self._landed)
        return True

    async def _attempt(self, call: Call, prompt: str, reserved_usd: float, client: ChatClient) -> None:
        queue = call.queue
        request = replace(queue.model.request(prompt, queue.target), limit_field=call.limit_field)
        timed = await client.ask(queue.target, request)
        cost_usd = queue.model.cost_of(timed.outcome) if isinstance(timed.outcome, Answer) else None
        self._budget.settle(reserved_usd, cost_usd or 0.0)
        n_moves = len(self.schedule.moves)
        finished = self.schedule.settle(call, timed, asyncio.get_running_loop().time())
        if finished is not None:
            self._recorder.put(finished)
        for move in self.schedule.moves[n_moves:]:
            self._display.say(
                f"{move.model} goes on at endpoint '{move.following}', for '{move.given_up}' is given up: "
                f"{move.reason.text}"
            )

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._problem = task.exception()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, loop: asyncio.AbstractEventLoop, until: float | None) -> None:
        """Wait for a call to land, for a moment, or for a signal."""
        self._waiter = loop.create_future()
        timer = None if until is None else loop.call_at(until, self._wake)
        try:
            await self._waiter
        finally:
            if timer is not None:
                timer.cancel()

    async def _keep_showing(self) -> None:
        while True:
            self._display.show(self._snapshot())
            await asyncio.sleep(self._display.interval_s)

    def _snapshot(self) -> Snapshot:
        written = self._recorder.written
        return snapshot(
            self._plan,
            self._held,
            written,
            self.schedule.stopped,
            seconds=time.monotonic() - self._started,
            n_in_flight=len(self._tasks),
            cost_usd=self._budget.spent_usd,
        )

    @contextlib.contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Turn the first Ctrl-C into a wish, and the second into an order."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        caught = (signal.SIGINT, signal.SIGTERM)
        for number in caught:
            loop.add_signal_handler(number, self._interrupt)
        try:
            yield
        finally:
            for number in caught:
                loop.remove_signal_handler(number)

    def _interrupt(self) -> None:
        if self.is_interrupted:
            for task in self._tasks:
                task.cancel()
            return
        self.is_interrupted = True
        n = len(self._tasks)
        if n:
            self._display.say(f"Finishing the {n} calls under way; Ctrl-C again gives them up.")
        self._wake()

    def summary(self) -> BenchmarkSummary:
        """Say what was asked and what came of it."""
        return summarise(
            self._plan,
            self._held,
            self._recorder.written,
            self.schedule,
            output=self._journal.path,
            seconds=time.monotonic() - self._started,
            cost_usd=self._budget.spent_usd,
            is_interrupted=self.is_interrupted,
            max_cost_usd=self._budget.limit_usd if self.is_out_of_money else None,
        )
