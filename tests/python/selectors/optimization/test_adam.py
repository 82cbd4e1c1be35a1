import numpy as np
import pytest
from numpy.typing import NDArray

from vsr.selectors.optimization import adam
from vsr.selectors.optimization.adam import Adam, Schedule, descend, logit, sigmoid


def plain_adam(
    start: list[NDArray[np.float64]],
    decayed: list[bool],
    gradients: list[list[NDArray[np.float64]]],
    rate: float,
    decay: float,
) -> list[NDArray[np.float64]]:
    """Algorithm 2 of Loshchilov and Hutter, number by number."""
    results = []
    for position, (parameter, decays) in enumerate(zip(start, decayed, strict=True)):
        flat = parameter.ravel().tolist()
        for index in range(len(flat)):
            value = flat[index]
            mean = square = 0.0
            for step, each in enumerate(gradients, start=1):
                gradient = float(each[position].ravel()[index])
                mean = 0.9 * mean + 0.1 * gradient
                square = 0.999 * square + 0.001 * gradient * gradient
                if decays:
                    value -= rate * decay * value
                corrected = (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)) ** 0.5 + 1e-8)
                value -= rate * corrected
            flat[index] = value
        results.append(np.array(flat).reshape(parameter.shape))
    return results


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_steps_are_those_of_a_plain_loop(decay: float) -> None:
    generator = np.random.default_rng(0)
    start = [generator.standard_normal(shape) for shape in ((3, 2), (2,), (2, 4))]
    decayed = [True, False, True]
    gradients = [[generator.standard_normal(part.shape) for part in start] for _ in range(20)]
    adam = Adam([part.astype(np.float32) for part in start], decayed, Schedule(learning_rate=0.05, weight_decay=decay))
    for each in gradients:
        for target, gradient in zip(adam.gradients, each, strict=True):
            target[:] = gradient
        adam.step()
    expected = plain_adam(start, decayed, gradients, 0.05, decay)
    for got, wanted in zip(adam.parameters, expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=2e-5)


def test_starting_values_are_copied() -> None:
    start = np.ones((2, 2), dtype=np.float32)
    adam = Adam([start], [False], Schedule(learning_rate=0.1))
    adam.gradients[0][:] = 1.0
    adam.step()
    assert (start == 1.0).all()
    kept = adam.snapshot()
    adam.step()
    assert (kept[0] > adam.parameters[0]).all()


def descend_with(errors: list[float], **schedule: int) -> tuple[float, int, list[NDArray[np.int64]]]:
    """Descend on a slope of one, with scripted validation errors: the value kept, the epochs, the batches."""
    adam = Adam([np.zeros(1, dtype=np.float32)], [False], Schedule(learning_rate=1.0))
    batches: list[NDArray[np.int64]] = []
    script = iter(errors)
    asked = 0

    def fill(batch: NDArray[np.int64]) -> None:
        batches.append(batch)
        adam.gradients[0][:] = -1.0

    def error() -> float:
        nonlocal asked
        asked += 1
        return next(script)

    best = descend(adam, 5, fill, error, Schedule(**schedule), np.random.default_rng(0))
    return float(best[0][0]), asked - 1, batches


def test_the_parameters_of_the_least_validation_error_are_kept() -> None:
    value, epochs, _ = descend_with([5.0, 3.0, 2.0, 4.0, 4.0, 4.0, 1.0], batch_size=5, max_epochs=50, patience=3)
    assert epochs == 5
    assert value == pytest.approx(2.0, abs=1e-3)  # two steps of one


def test_patience_starts_again_after_each_improvement() -> None:
    value, epochs, _ = descend_with([5.0, 6.0, 4.0, 6.0, 3.0, 6.0, 6.0], batch_size=5, max_epochs=50, patience=2)
    assert epochs == 6
    assert value == pytest.approx(4.0, abs=1e-3)


def test_a_start_that_nothing_betters_is_kept() -> None:
    value, epochs, _ = descend_with([1.0, 2.0, 2.0], batch_size=5, max_epochs=50, patience=2)
    assert (value, epochs) == (0.0, 2)


def test_every_row_is_seen_once_an_epoch() -> None:
    _, epochs, batches = descend_with([3.0, 2.0, 1.0], batch_size=2, max_epochs=2, patience=9)
    assert epochs == 2
    assert [len(batch) for batch in batches] == [2, 2, 1, 2, 2, 1]
    first, second = np.concatenate(batches[:3]), np.concatenate(batches[3:])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(5))
    assert first.tolist() != second.tolist()


def test_sigmoid_does_not_overflow() -> None:
    logits = np.array([-1e30, -800.0, -1.0, 0.0, 2.0, 800.0, 1e30])
    expected = [0.0, 0.0, 1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-2.0)), 1.0, 1.0]
    np.testing.assert_allclose(sigmoid(logits), expected, atol=1e-15)
    assert sigmoid(logits.astype(np.float32)).dtype == np.float32


def test_logit_is_the_inverse_of_sigmoid_within_its_bounds() -> None:
    inside = np.array([0.001, 0.2, 0.5, 0.999])
    np.testing.assert_allclose(sigmoid(logit(inside)), inside)
    np.testing.assert_allclose(sigmoid(logit(np.array([0.0, 1.0]))), [0.001, 0.999])


def test_an_epoch_of_very_many_rows_is_a_part_of_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adam, "_MOST_EPOCH_ROWS", 40)
    seen: list[int] = []
    errors = iter(range(100, 0, -1))
    descent = Adam([np.zeros(3, dtype=np.float32)], [False], Schedule())
    schedule = Schedule(batch_size=16, max_epochs=5)
    descend(
        descent,
        100,
        lambda batch: seen.extend(batch.tolist()),
        lambda: next(errors),
        schedule,
        np.random.default_rng(0),
    )
    # A hundred rows are three epochs, of 34, 33 and 33 rows.
    assert sorted(seen[:100]) == list(range(100))
    assert len(seen) == 100 + 34 + 33
    assert next(errors) == 100 - 6
