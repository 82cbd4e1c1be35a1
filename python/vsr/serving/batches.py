"""Requests that come at the same time are answered together: one hand-over to a thread, one batch of the embedder."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

_MOST_AT_A_TIME = 2  # batches; one embeds, the other lets nobody wait who could be served
_MOST_TOGETHER = 64
_MOST_BYTES = 256 << 10
_LARGE_BYTES = 64 << 10
_LONGEST_WAIT_S = 0.002

Answer = bytes | Exception
AnswerAll = Callable[[Sequence[bytes]], Sequence[Answer]]


@dataclass(frozen=True, eq=False, slots=True)
class _Waiting:
    body: bytes
    answer: asyncio.Future[bytes]


class Batches:
    """Hands bodies to a pool of threads, those together that wait at the same time; used from one event loop.

    Whoever comes while nothing is worked on is handed over at once, with all whom the same turn of the loop brought.
    Whoever comes later waits for company until a batch is done, but at most 2 ms while fewer than two are worked on.

    Handing over every request alone costs more than choosing: event loop and threads of a pool on two cores take
    Python's lock from each other some forty times a request.
    """

    def __init__(self, pool: Executor, answer_all: AnswerAll) -> None:
        """Take who works.

        Args:
            pool: of more threads than two: a large body is worked on beside the batches.
            answer_all: answers bodies in order, each with its answer or the error that it met.
        """
        self._pool = pool
        self._answer_all = answer_all
        self._waiting: deque[_Waiting] = deque()
        self._n_at_work = 0
        self._is_start_due = False

    async def answer(self, body: bytes) -> bytes:
        """Answer one body; the error that it met is raised."""
        loop = asyncio.get_running_loop()
        one = _Waiting(body, loop.create_future())
        if len(body) > _LARGE_BYTES:  # nobody is to wait for it
            self._hand_over(loop, [one], is_alone=True)
        else:
            self._waiting.append(one)
            if not self._is_start_due:
                self._is_start_due = True
                if self._n_at_work:
                    loop.call_later(_LONGEST_WAIT_S, self._start, loop)
                else:
                    loop.call_soon(self._start, loop)
        return await one.answer

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_start_due = False
        while self._waiting and self._n_at_work < _MOST_AT_A_TIME:
            taken: list[_Waiting] = []
            n_bytes = 0
            while self._waiting and len(taken) < _MOST_TOGETHER and n_bytes < _MOST_BYTES:
                n_bytes += len(self._waiting[0].body)
                taken.append(self._waiting.popleft())
            self._n_at_work += 1
            self._hand_over(loop, taken)

    def _hand_over(self, loop: asyncio.AbstractEventLoop, taken: Sequence[_Waiting], *, is_alone: bool = False) -> None:
        def work() -> None:
            answers: Sequence[Answer]
            try:
                answers = self._answer_all([each.body for each in taken])
            except Exception as error:
                answers = [error] * len(taken)
            loop.call_soon_threadsafe(tell, answers)

        def tell(answers: Sequence[Answer]) -> None:
            for each, answer in zip(taken, answers, strict=True):
                if each.answer.done():  # whoever asked has gone
                    continue
                if isinstance(answer, Exception):
                    each.answer.set_exception(answer)
                else:
                    each.answer.set_result(answer)
            if not is_alone:
                self._n_at_work -= 1
                self._start(loop)

        self._pool.submit(work)
