"""Big matrices on disk for the time of a computation."""

import errno
import mmap
import os

import numpy as np
import pytest

from vsr import _mapped


def base_of(array: object) -> object:
    while isinstance(array, np.ndarray):
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


def test_a_big_matrix_is_a_mapped_file_of_zeros_that_keeps_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mapped, "MOST_ROWS_IN_MEMORY", 99)
    matrix = _mapped.empty_matrix(100, 7)
    assert isinstance(base_of(matrix), mmap.mmap)
    assert matrix.shape == (100, 7)
    assert matrix.dtype == np.float32
    assert not matrix.any()
    matrix[:] = np.arange(700).reshape(100, 7)
    _mapped.forget_pages(matrix[3:, :2])
    np.testing.assert_array_equal(matrix.ravel(), np.arange(700))


def test_a_small_matrix_and_one_that_the_disk_has_no_room_for_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert base_of(_mapped.empty_matrix(100, 7)) is None
    monkeypatch.setattr(_mapped, "MOST_ROWS_IN_MEMORY", 99)

    def is_full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", is_full)
    matrix = _mapped.empty_matrix(100, 7)
    assert base_of(matrix) is None
    matrix += 1.0
    _mapped.forget_pages(matrix)
    assert matrix.all()


def test_blocks_are_all_rows_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mapped, "BLOCK_ROWS", 4)
    assert [list(range(10))[block] for block in _mapped.blocks(10)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert _mapped.blocks(0) == []
