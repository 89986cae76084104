"""Memory shared with other libraries."""

from __future__ import annotations

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, AutogradError


class Foreign:
    """An array of a library that speaks DLPack and nothing else."""

    def __init__(self, array: np.ndarray, kind: int = 1) -> None:
        self.array = array
        self.kind = kind

    def __dlpack__(self, **options: object) -> object:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.kind, 0


def test_memory_is_shared_in_both_directions() -> None:
    theirs = np.arange(3.0)
    ours = pg.from_dlpack(Foreign(theirs))
    theirs[0] = 7
    assert ours.tolist() == [7, 1, 2]
    back = np.from_dlpack(ours)
    ours[1] = 8
    assert back.tolist() == theirs.tolist() == [7, 8, 2]
    assert ours.__dlpack_device__() == (1, 0)
    assert pg.to_dlpack(ours) is not None


def test_view_is_shared_with_its_strides() -> None:
    x = pg.arange(6).reshape(2, 3)
    theirs = np.from_dlpack(x.t())
    x[0, 1] = 9
    assert theirs.strides == (8, 24)
    assert theirs.tolist() == [[0, 3], [9, 4], [2, 5]]


def test_copy_is_made_where_it_is_wanted() -> None:
    theirs = np.zeros(2)
    ours = pg.from_dlpack(Foreign(theirs), copy=True)
    ours.fill_(1)
    assert theirs.tolist() == [0, 0]
    x = pg.ones(2)
    assert pg.from_dlpack(x).is_set_to(x)


def test_foreign_arrays_are_data_of_new_tensors() -> None:
    assert pg.tensor(Foreign(np.arange(2))).tolist() == [0, 1]
    assert pg.as_tensor(Foreign(np.ones(2)), dtype=pg.int8).dtype is pg.int8


def test_what_cannot_be_exchanged_is_refused() -> None:
    with pytest.raises(AutogradError, match="detach"):
        np.from_dlpack(pg.ones(2, requires_grad=True))
    with pytest.raises(ArgumentError, match="__dlpack__"):
        pg.from_dlpack([1, 2])
    with pytest.raises(ArgumentError, match="on the CPU or CUDA"):
        pg.from_dlpack(Foreign(np.ones(2), kind=10))


def test_asarray_shares_or_copies_as_asked() -> None:
    theirs = np.zeros(2, np.float32)
    pg.asarray(theirs).fill_(1)
    pg.asarray(theirs, copy=False).add_(1)
    pg.asarray(theirs, copy=True).fill_(9)
    assert theirs.tolist() == [2, 2]
    leaf = pg.ones(2, requires_grad=True)
    assert not pg.asarray(leaf).requires_grad
    assert pg.asarray([1.0], requires_grad=True).requires_grad
    for data, dtype in (([1, 2], None), (theirs, pg.float64)):
        with pytest.raises(ArgumentError, match="asarray"):
            pg.asarray(data, dtype=dtype, copy=False)


def test_a_files_bytes_are_elements(tmp_path):
    file = tmp_path / "bytes"
    file.write_bytes(bytes(range(16)))
    assert pg.from_file(str(file), size=3, dtype=pg.uint8).tolist() == [0, 1, 2]
    assert pg.from_file(str(file)).shape == (0,)
    assert pg.from_file(str(file), False, 4, requires_grad=True).dtype is pg.float32
    with pytest.raises(ArgumentError, match="at most the file's 16 bytes"):
        pg.from_file(str(file), size=5)
    with pytest.raises(ArgumentError, match="memmap"):
        pg.from_file(str(file), True, 4)


def test_the_old_constructor_of_a_tensor_is_that_tensor():
    x = pg.arange(3)
    y = pg.Tensor(x)
    assert (y.dtype, y.is_set_to(x)) == (pg.int64, True)


def test_a_positional_copy_is_a_copy():
    x = pg.ones(2)
    assert x.to(pg.float32, False, True) is not x
    assert x.to("cpu", True) is x
