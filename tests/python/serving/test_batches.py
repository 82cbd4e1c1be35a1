"""Requests that come together: one batch, and everybody gets their own answer."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from vsr.errors import SelectionError
from vsr.serving.batches import Batches


class Worker:
    """Answers bodies with themselves, and notes which came together."""

    def __init__(self):
        self.batches = []
        self.gate = threading.Event()
        self.gate.set()

    def answer_all(self, bodies):
        self.batches.append(list(bodies))
        assert self.gate.wait(10)
        if b"bug" in bodies:
            raise ValueError("a bug")
        return [SelectionError("no") if body == b"bad" else body for body in bodies]


@pytest.fixture
def worker():
    return Worker()


def run(worker, asking):
    with ThreadPoolExecutor(4) as pool:
        return asyncio.run(asking(Batches(pool, worker.answer_all)))


def test_who_comes_in_one_turn_of_the_loop_is_answered_in_one_batch(worker):
    async def asking(batches):
        return await asyncio.gather(*(batches.answer(b"%d" % number) for number in range(70)))

    assert run(worker, asking) == [b"%d" % number for number in range(70)]
    assert [len(batch) for batch in worker.batches] == [64, 6]


def test_one_alone_waits_for_nobody(worker):
    async def asking(batches):
        return await batches.answer(b"x")

    started_s = time.perf_counter()
    assert run(worker, asking) == b"x"
    assert worker.batches == [[b"x"]]
    assert time.perf_counter() - started_s < 1


def test_who_comes_later_waits_at_most_for_a_moment_while_somebody_is_free(worker):
    async def asking(batches):
        worker.gate.clear()
        waiting = [asyncio.create_task(batches.answer(b"first"))]
        await asyncio.sleep(0.05)
        for number in range(6):
            waiting.append(asyncio.create_task(batches.answer(b"%d" % number)))
            await asyncio.sleep(0.03 if number in (2, 5) else 0)
        # Three came together and started beside the first; nobody is free for the other three.
        assert worker.batches == [[b"first"], [b"0", b"1", b"2"]]
        large = asyncio.create_task(batches.answer(b"x" * 70_000))
        await asyncio.sleep(0.03)
        assert worker.batches[2] == [b"x" * 70_000]  # nobody is to wait for it, nor it for anybody
        worker.gate.set()
        await large
        return await asyncio.gather(*waiting)

    assert run(worker, asking) == [b"first", *(b"%d" % number for number in range(6))]
    assert worker.batches[3] == [b"3", b"4", b"5"]


def test_every_error_goes_to_whom_it_concerns(worker):
    async def asking(batches):
        return await asyncio.gather(*(batches.answer(body) for body in (b"a", b"bad", b"b")), return_exceptions=True)

    first, error, last = run(worker, asking)
    assert (first, str(error), last) == (b"a", "no", b"b")


def test_a_bug_leaves_nobody_without_an_answer(worker):
    async def asking(batches):
        broken = await asyncio.gather(batches.answer(b"a"), batches.answer(b"bug"), return_exceptions=True)
        return broken, await batches.answer(b"after")

    broken, after = run(worker, asking)
    assert [str(each) for each in broken] == ["a bug", "a bug"]
    assert after == b"after"
