"""Indexing against NumPy: `x[key]` read, written, differentiated; positions, masks and order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import (
    ArgumentError,
    DtypeError,
    InPlaceError,
    PlugradError,
    RangeError,
    ShapeError,
    UnsupportedError,
    VersionError,
)

from .helpers import check_gradients

SHAPE = (3, 4, 5)


def numbers(*shape: int) -> np.ndarray:
    return np.arange(float(np.prod(shape))).reshape(shape)


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def assert_same(actual: pg.Tensor, expected: Any) -> None:
    np.testing.assert_array_equal(actual.detach().numpy(), expected, strict=True)


# x[key] -------------------------------------------------------------------------------------------

MASK = numbers(*SHAPE) % 3 == 0
KEYS: dict[str, Any] = {
    "a number": 1,
    "a negative number": -1,
    "a NumPy number": np.int64(2),
    "a number per axis": (1, -2, 3),
    "a slice": slice(1, 3),
    "a slice with a step": slice(None, None, 2),
    "a slice past the end": slice(2, 100),
    "a slice from behind": slice(-2, None),
    "an empty slice": slice(3, 1),
    "a slice that begins at the end": (slice(None), slice(4, None)),
    "nothing": (),
    "Ellipsis": ...,
    "Ellipsis between": (0, ..., 2),
    "Ellipsis for no axis": (0, ..., 1, 2),
    "None": None,
    "None among others": (None, 1, None, slice(1, 3), None),
    "True": True,
    "False": False,
    "True among others": (slice(1, 3), True, [0, 2]),
    "a list": [2, 0, 2],
    "an empty list": [],
    "a nested list": [[0, 1], [2, 0]],
    "a range": range(2),
    "an array": np.array([[1, -1]]),
    "a vector of one": np.array([1]),
    "arrays side by side": (slice(None), [0, 1, 3], [4, -1, 2]),
    "arrays that broadcast": (np.array([[0], [2]]), [1, 2, 3]),
    "arrays apart": ([0, 1], slice(1, 4), [3, 4]),
    "arrays around None": (slice(None), [0, 1], None, [3, 4]),
    "an array and a slice": ([0, 2], slice(1, 3)),
    "an array behind": (..., [0, 0, 1]),
    "a mask": MASK,
    "a mask of the first axis": np.array([True, False, True]),
    "a mask as a list": [False, True, True],
    "a mask of the last axis": (..., np.array([True, False, False, True, True])),
    "a mask of two axes": MASK[:, :, 0],
    "a mask of the last two": (slice(1, 3), MASK[0]),
    "a mask and an array": ([0, 1], np.array([True, False, False, True])),
    "a mask with no element": np.zeros(SHAPE, bool),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_reads_what_numpy_reads(name: str) -> None:
    x = numbers(*SHAPE)
    assert_same(pg.tensor(x)[KEYS[name]], x[KEYS[name]])


@pytest.mark.parametrize("name", KEYS)
def test_a_key_writes_where_numpy_writes(name: str) -> None:
    for value in (7.5, -values(*numbers(*SHAPE)[KEYS[name]].shape)):
        expected, actual = numbers(*SHAPE), pg.tensor(numbers(*SHAPE))
        expected[KEYS[name]] = value
        actual[KEYS[name]] = value if isinstance(value, float) else pg.tensor(value)
        assert_same(actual, expected)


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_differentiable_read_and_written(name: str) -> None:
    key = KEYS[name]

    def write(x: pg.Tensor, value: pg.Tensor) -> pg.Tensor:
        out = x * x
        out[key] = value * value
        return out * out

    x = values(*SHAPE)
    check_gradients(lambda x: x[key] * x[key], x, second_order=False)
    # Of two values for one place either may win.
    places = numbers(*SHAPE)[key]
    if len(np.unique(places)) == places.size:
        check_gradients(write, x, values(*places.shape, seed=1), second_order=False)


def random_key(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Numbers, slices and new axes; or slices, new axes, arrays and masks.

    Never numbers beside arrays, where PyTorch's rule is another than NumPy's.
    """
    basic = rng.random() < 0.3
    kinds = ["slice", "none", "number"] if basic else ["slice", "none", "array", "mask"]
    key: list[Any] = []
    axis = 0
    while axis < len(shape) and rng.random() < 0.85:
        size = shape[axis]
        kind = rng.choice(kinds)
        axis += kind != "none"
        if kind == "none":
            key.append(None)
        elif kind == "number":
            key.append(int(rng.integers(-size, size)))
        elif kind == "slice":
            start, stop = (
                None if rng.random() < 0.4 else int(rng.integers(-size - 1, size + 2)) for _ in "ab"
            )
            key.append(slice(start, stop, int(rng.integers(1, 4))))
        elif kind == "array":
            several = [(2,), (1,), (2, 1), (1, 2), (2, 2)][rng.integers(5)]
            key.append(rng.integers(-size, size, several))
        else:
            mask = np.zeros(size, bool)
            mask[rng.permutation(size)[:2]] = True
            key.append(mask)
    if rng.random() < 0.3:
        key.append(...)
    return tuple(key)


@pytest.mark.parametrize("seed", range(300))
def test_random_keys_do_as_numpy_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 5, rng.integers(1, 5)).tolist())
    order = rng.permutation(len(shape))
    key = random_key(rng, shape)
    # The operand's axes lie in any order in memory, the arrays of the key are arrays or tensors.
    stored = numbers(*np.array(shape)[order].tolist())
    back = np.argsort(order).tolist()
    x = stored.transpose(back)
    y = pg.tensor(stored).permute(*back)
    if rng.random() < 0.5:
        ours: Any = tuple([pg.tensor(k) if isinstance(k, np.ndarray) else k for k in key])
    else:
        ours = key
    assert_same(y[ours], x[key])
    target = x[key].shape
    value = values(*target[rng.integers(0, len(target) + 1) :])
    expected = x.copy()
    expected[key] = value
    y[ours] = pg.tensor(value)
    if len(np.unique(x[key])) == x[key].size:
        assert_same(y, expected)


def test_where_numpy_differs_pytorch_is_followed() -> None:
    x = numbers(*SHAPE)
    # An Ellipsis for no axis does not part two arrays, and a number beside arrays is taken first.
    assert_same(pg.tensor(x)[:, [0, 1], ..., [3, 4]], x[:, [0, 1], [3, 4]])
    assert_same(pg.tensor(x)[0, :, [1, 2]], x[0][:, [1, 2]])
    assert_same(pg.tensor(x)[pg.tensor(0), :, [1, 2]], x[0][:, [1, 2]])


def test_tensors_are_keys_of_every_kind() -> None:
    x = numbers(*SHAPE)
    y = pg.tensor(x)
    assert_same(y[pg.tensor(1)], x[1])
    assert_same(y[pg.tensor([0, 2], dtype=pg.int32)], x[[0, 2]])
    assert_same(y[pg.tensor(1) :, pg.tensor(-1)], x[1:, -1])
    assert_same(y[[pg.tensor(0), pg.tensor(2)]], x[[0, 2]])
    assert_same(y[pg.tensor(True)], x[True])
    assert_same(y[pg.tensor(False)], x[False])
    assert_same(y[y > 30], x[x > 30])


@pytest.mark.parametrize(
    "key", [1, slice(1, None), (0, slice(None, None, 2)), None, ..., (), (..., 1), slice(3, 3)]
)
def test_numbers_slices_and_new_axes_give_views(key: Any) -> None:
    x, y = numbers(*SHAPE), pg.tensor(numbers(*SHAPE))
    part = y[key]
    part += 100
    x[key] += 100
    assert part.untyped_storage() is y.untyped_storage()
    assert_same(y, x)


def test_reading_everything_gives_another_tensor_on_the_same_memory() -> None:
    y = pg.tensor([1.0, 2.0])
    assert y[...] is not y
    assert y[:] is not y
    y[...][0] = 5
    assert y.tolist() == [5, 2]


@pytest.mark.parametrize("key", [[0, 1], np.array([True, False, True]), True])
def test_tensors_in_the_key_give_a_copy(key: Any) -> None:
    y = pg.tensor(numbers(*SHAPE))
    part = y[key]
    part += 100
    assert_same(y, numbers(*SHAPE))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (0, [1, 2, 3, 4, 5]),
        ((slice(None), 0), np.float32(2)),
        (slice(1, 3), 2),
        (slice(1, 3), True),
        ([0, 2], np.arange(5)),
        ([0, 2], np.ones((1, 1, 1, 4, 5))),
        (1, np.ones((1, 1, 4, 5))),
        (MASK, 3),
        (MASK, np.array([4.0])),
        ((slice(1, 3), np.array([True, False, False, True])), -1),
        ((0, [1, 2], slice(2, 4)), 9),
    ],
)
def test_values_are_broadcast_and_cast_as_they_are_written(key: Any, value: Any) -> None:
    for dtype in (np.float64, np.float32, np.int64):
        expected = numbers(*SHAPE).astype(dtype)
        actual = pg.tensor(expected)
        # NumPy counts a number as an array: in two steps both mean the same.
        target = expected[key[0]] if isinstance(key, tuple) and key[0] == 0 else expected
        target[key[1:] if target is not expected else key] = value
        actual[key] = value
        assert_same(actual, expected)


def test_a_tensor_may_be_written_into_itself() -> None:
    x, y = numbers(6), pg.tensor(numbers(6))
    x[1:] = x[:-1].copy()
    y[1:] = y[:-1]
    assert_same(y, x)
    x[[5, 4, 3]] = x[:3].copy()
    y[[5, 4, 3]] = y[:3]
    assert_same(y, x)
    y.index_put_((pg.tensor([0, 0, 1]),), y[1:4], accumulate=True)
    np.add.at(x, [0, 0, 1], x[1:4].copy())
    assert_same(y, x)


def test_writing_through_a_view_of_a_computed_tensor_is_recorded() -> None:
    def write(x: pg.Tensor, value: pg.Tensor) -> pg.Tensor:
        base = x * x
        row = base[1]
        row[[0, 2]] = value
        row[row > 10] = 0
        base[:, 1] *= 3
        return base * row

    x = np.array([[1.0, 2.0, 3.0], [4.0, 2.0, 1.0]])
    check_gradients(write, x, np.array([1.5, 2.5]))


def test_a_leaf_is_not_written_while_gradients_flow() -> None:
    y = pg.zeros(3).requires_grad_()
    for key in (0, [0, 1], pg.tensor([True, False, True])):
        with pytest.raises(InPlaceError):
            y[key] = 1
    with pg.no_grad():
        y[[0, 1]] = 1
    assert y.tolist() == [1, 1, 0]


def test_positions_that_backward_needs_must_not_change() -> None:
    x = pg.zeros(3).requires_grad_()
    index = pg.tensor([0, 1])
    out = x[index].sum()
    index[0] = 2
    with pytest.raises(VersionError, match="index"):
        out.backward()


# errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (3, RangeError, r"key: expected an index from -3 to 2 along axis 0 of \(3, 4, 5\), got 3"),
        ((0, -5), RangeError, r"from -4 to 3 along axis 1 of \(3, 4, 5\), got -5"),
        ((0, 0, 0, 0), RangeError, r"at most 3 indices, for \(3, 4, 5\), got 4"),
        ((MASK, 0), RangeError, "at most 3 indices, .* got 4"),
        ([0, 3], RangeError, r"indices\[0\]: expected positions from -3 to 2 along axis 0.* got 3"),
        ((..., [[0], [-6]]), RangeError, r"from -5 to 4 along axis 2 of \(3, 4, 5\), got -6"),
        (([0], [9]), RangeError, r"indices\[1\].* got 9"),
        (np.array([True, False]), RangeError, r"a mask of shape \(3,\), .* got \(2,\)"),
        (
            (slice(None), MASK[:, :, 0]),
            RangeError,
            r"a mask of shape \(4, 5\), for the axes from 1",
        ),
        (([0, 1], [0, 1, 2]), ShapeError, "sizes 2 and 3"),
        (slice(None, None, -1), ArgumentError, r"flip\(\)"),
        (slice(None, None, 0), ArgumentError, "a step above 0"),
        (slice("a", None), DtypeError, "integers"),
        ("a", DtypeError, "key: expected integers, slices.* got str"),
        ({}, DtypeError, "got dict"),
        (1.0, DtypeError, "integer dtype, got plugrad.float32"),
        ([0.5], DtypeError, r"cast them with .long\(\)"),
        (np.array([1], np.uint8), DtypeError, r"\.bool\(\) or \.long\(\)"),
    ],
)
def test_a_key_that_fits_nothing_says_why(key: Any, error: type[PlugradError], words: str) -> None:
    y = pg.tensor(numbers(*SHAPE))
    with pytest.raises(error, match=words):
        y[key]
    with pytest.raises(error, match=words):
        y[key] = 0
    assert_same(y, numbers(*SHAPE))


def test_positions_are_checked_even_where_another_axis_is_empty() -> None:
    empty = pg.zeros(0, 2)
    assert empty[:, [1, 1, -2]].shape == (0, 3)
    with pytest.raises(RangeError):
        empty[:, [2]]
    with pytest.raises(RangeError):
        empty[:, [2]] = 0


def test_range_errors_are_index_errors_with_fields() -> None:
    with pytest.raises(IndexError) as caught:
        pg.zeros(3)[3]
    error = caught.value
    assert isinstance(error, RangeError)
    assert (error.operator, error.argument, error.got) == ("getitem", "key", 3)


def test_a_tensor_without_axes_takes_no_index() -> None:
    with pytest.raises(RangeError, match="item"):
        pg.tensor(1.0)[0]
    with pytest.raises(RangeError):
        pg.tensor(1.0)[:]
    assert pg.tensor(1.0)[...].item() == 1
    assert pg.tensor(1.0)[None].tolist() == [1]


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        (0, pg.zeros(3), ShapeError),
        (0, pg.zeros(2, 4, 5), ShapeError),
        ([0, 1], pg.zeros(3, 4, 5), ShapeError),
        (MASK, pg.zeros(2), ShapeError),
        (0, 1j, DtypeError),
        ([0], 1j, DtypeError),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    key: Any, value: Any, error: type[PlugradError]
) -> None:
    with pytest.raises(error):
        pg.zeros(*SHAPE)[key] = value


def test_without_data_shapes_are_known_but_for_those_that_depend_on_it() -> None:
    x = pg.zeros(3, 4, device="meta")
    assert x[1:, [0, 1]].shape == (2, 2)
    assert x.sort().values.shape == (3, 4)
    x[[0, 1]] = 1
    for call in (lambda: x.nonzero(), lambda: x[x > 0]):
        with pytest.raises(UnsupportedError, match="depends"):
            call()
