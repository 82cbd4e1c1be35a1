"""The number of linear algebra threads, which belongs to the whole process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from vsr import _core
from vsr._threads import one_linear_algebra_thread, set_n_threads
from vsr.data.outcomes import Outcomes
from vsr.features import build_features
from vsr.selectors.knn import Knn
from vsr.training.trainer import train_selector


def n_threads() -> int:
    counts = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    (count,) = counts
    return int(count)


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(limits=2, user_api="blas"):
        yield


def test_the_last_to_leave_need_not_be_the_first_inside() -> None:
    first_may_leave = Event()

    def hold(inside: Event, may_leave: Event) -> None:
        with one_linear_algebra_thread():
            inside.set()
            assert may_leave.wait(10.0)

    inside = Event(), Event()
    last_may_leave = Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(hold, inside[0], first_may_leave)
        assert inside[0].wait(10.0)
        last = pool.submit(hold, inside[1], last_may_leave)
        assert inside[1].wait(10.0)
        first_may_leave.set()
        first.result()
        assert n_threads() == 1
        last_may_leave.set()
        last.result()
        assert n_threads() == 2


def test_overlapping_holders_leave_what_was_before() -> None:
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(one_linear_algebra_thread())
        second.enter_context(one_linear_algebra_thread())
        first.close()
        assert n_threads() == 1, "the second one is still inside"
    assert n_threads() == 2


def test_a_limit_set_meanwhile_holds_afterwards() -> None:
    before = _core.n_threads()
    try:
        with one_linear_algebra_thread():
            set_n_threads(3)
            assert n_threads() == 1
        assert n_threads() == 3
    finally:
        set_n_threads(before)


def test_trainings_that_overlap_leave_what_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    outcomes = Outcomes([f"q{i}" for i in range(60)], ["math"] * 60, ["a", "b"], generator.random((60, 2)))
    features = build_features(generator.standard_normal((60, 8)), outcomes.categories)
    first_is_inside, second_is_inside, first_is_done = Event(), Event(), Event()

    inside: list[int] = []

    def waits(fit: Callable[..., object]) -> Callable[..., object]:
        def waiting(self: Knn, *arguments: object) -> object:
            if self.parameters.k == 1:
                first_is_inside.set()
                second_is_inside.wait(10.0)
            else:
                second_is_inside.set()
                first_is_done.wait(10.0)
            inside.append(n_threads())
            return fit(self, *arguments)

        return waiting

    monkeypatch.setattr(Knn, "fit", waits(Knn.fit))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(train_selector, "knn", features, outcomes, k=1)
        first.add_done_callback(lambda _: first_is_done.set())
        first_is_inside.wait(10.0)
        second = pool.submit(train_selector, "knn", features, outcomes, k=2)
        for training in (first, second):
            training.result()
    assert inside == [1, 1]
    assert n_threads() == 2
