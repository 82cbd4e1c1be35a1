"""The calls of a schedule on their way: so many at a time, within a budget, until nothing is left or all is stopped."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from vsr.asking.budget import Budget, believable, highest_cost_usd
from vsr.asking.client import ChatClient, Timed
from vsr.asking.queue import Call
from vsr.asking.schedule import Finished, Schedule
from vsr.asking.secrets import Secrets
from vsr.errors import BenchmarkError
from vsr.providers.call import Answer, ErrorKind, FailedCall

WARM_UP_PROMPT = "Reply with the word ready."


class Sink(Protocol):
    """Where finished calls go; whoever hands one over does not wait."""

    failure: BenchmarkError | None

    @property
    def is_behind(self) -> bool:
        """Whether no new call should start before some are written."""
        ...

    def put(self, finished: Finished) -> None:
        """Take a call over."""
        ...


class Run:
    """One run from its first call to its last.

    Attributes:
        interrupted_by: the signal that stopped it; None where none did.
        is_out_of_money: whether the budget stopped it.
    """

    def __init__(
        self,
        schedule: Schedule,
        budget: Budget,
        prompt_of: Callable[[int], str],
        secrets: Sequence[str],
        say: Callable[[str], None],
        *,
        measures_first_token: bool = False,
    ) -> None:
        """Prepare a run.

        Args:
            schedule: which call comes next.
            budget: what they may cost.
            prompt_of: the text of a question of the schedule.
            secrets: texts that no message may hold.
            say: tells whoever watches what should stay on the screen.
            measures_first_token: whether answers are streamed, so that it shows when they begin.
        """
        self.schedule = schedule
        self.interrupted_by: int | None = None
        self.is_out_of_money = False
        self._budget = budget
        self._prompt_of = prompt_of
        self._secrets = Secrets(secrets)
        self._say = say
        self._measures_first_token = measures_first_token
        self._tasks: set[asyncio.Task[None]] = set()
        self._problem: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def n_in_flight(self) -> int:
        """Requests under way."""
        return len(self._tasks)

    async def go(self, client: ChatClient, sink: Sink) -> None:
        """Ask until nothing is left, or something says stop; whatever was answered goes to the sink.

        The first Ctrl-C lets the calls under way finish, the second one gives them up.
        """
        loop = asyncio.get_running_loop()
        try:
            with self._signals(loop):
                await self._ask_all(client, sink, loop)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._problem is not None:
            raise self._problem

    def wake(self) -> None:
        """Look anew at whether the run goes on."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _ask_all(self, client: ChatClient, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            wake_at: float | None = None
            is_stopping = self.interrupted_by is not None or sink.failure is not None or self._problem is not None
            while not is_stopping and len(self._tasks) < self.schedule.policy.concurrency:
                if sink.is_behind:
                    wake_at = loop.time() + 0.02
                    break
                found = self.schedule.take(loop.time())
                if not isinstance(found, Call):
                    wake_at = found
                    break
                if not self._start(found, client, sink, loop):
                    is_stopping = True
            if not self._tasks and (is_stopping or wake_at is None):
                return
            await self._wait(loop, wake_at)

    def _start(self, call: Call, client: ChatClient, sink: Sink, loop: asyncio.AbstractEventLoop) -> bool:
        """Send a call on its way, if there is money for it."""
        prompt = WARM_UP_PROMPT if call.question is None else self._prompt_of(call.question)
        highest_usd = highest_cost_usd(call.queue.model, prompt)
        if not self._budget.reserve(highest_usd):
            self.schedule.put_back(call)
            self.is_out_of_money = not self._tasks
            return False
        task = loop.create_task(self._attempt(call, prompt, highest_usd, client, sink))
        self._tasks.add(task)
        task.add_done_callback(self._landed)
        return True

    async def _attempt(self, call: Call, prompt: str, reserved_usd: float, client: ChatClient, sink: Sink) -> None:
        queue = call.queue
        try:
            request = queue.model.request(prompt, queue.target)
            request = replace(
                request,
                limit_field=call.limit_field,
                is_streamed=self._measures_first_token,
                answer_schema=request.answer_schema if call.has_schema else None,
            )
            timed = await client.ask(queue.target, request)
            cost_usd = None
            if isinstance(timed.outcome, Answer):
                answer = believable(timed.outcome)
                timed, cost_usd = replace(timed, outcome=answer), queue.model.cost_of(answer)
        except Exception as error:  # whatever an answer does to us, it costs that call alone
            message = f"the answer could not be handled: {type(error).__name__}: {error}"
            timed = Timed(self._secrets.without(FailedCall(ErrorKind.INVALID_ANSWER, message)), None)
            cost_usd = None
        self._budget.settle(reserved_usd, cost_usd or 0.0)
        n_told = len(self.schedule.news)
        finished = self.schedule.settle(call, timed, asyncio.get_running_loop().time())
        if finished is not None:
            sink.put(finished)
        for text in self.schedule.news[n_told:]:
            self._say(text)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._problem = task.exception()
        self.wake()

    async def _wait(self, loop: asyncio.AbstractEventLoop, until: float | None) -> None:
        """Wait for a call to land, for a moment, or for a signal."""
        self._waiter = loop.create_future()
        timer = None if until is None else loop.call_at(until, self.wake)
        try:
            await self._waiter
        finally:
            if timer is not None:
                timer.cancel()

    @contextlib.contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Turn the first signal to stop into a wish, and the second into an order; only the main thread has signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        caught = (signal.SIGINT, signal.SIGTERM)
        handlers = [signal.getsignal(number) for number in caught]
        for number in caught:
            loop.add_signal_handler(number, self._interrupt, number)
        try:
            yield
        finally:
            for number, handler in zip(caught, handlers, strict=True):
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    def _interrupt(self, number: int) -> None:
        if self.interrupted_by is not None:
            for task in self._tasks:
                task.cancel()
            return
        self.interrupted_by = number
        if self._tasks:
            self._say(f"Finishing the {len(self._tasks)} calls under way; Ctrl-C again gives them up.")
        self.wake()
