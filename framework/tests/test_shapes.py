"""Sizes, axes and broadcasting, held against definitions by enumeration where there is one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from plugrad.errors import ArgumentError, DtypeError, OperatorError, RangeError, ShapeError
from plugrad.shapes import (
    Shape,
    Strides,
    as_ints,
    broadcast_shapes,
    contiguous_strides,
    extent,
    flatten_shape,
    infer_shape,
    is_contiguous,
    is_dense,
    normalize_dim,
    normalize_dims,
    numel,
    overlaps,
    reduce_shape,
    squeeze_shape,
    to_tuple,
    unflatten_shape,
    unsqueeze_shape,
)

LAYOUTS = [
    (shape, strides)
    for ndim in range(4)
    for shape in itertools.product((0, 1, 2, 3), repeat=ndim)
    for strides in itertools.product((0, 1, 2, 3, 6), repeat=ndim)
]


def places(shape: Shape, strides: Strides) -> list[int]:
    """Where the elements lie, in row-major order: the definition that the layouts answer to."""
    positions = itertools.product(*map(range, shape))
    return [sum(i * st for i, st in zip(at, strides, strict=True)) for at in positions]


# --- memory layout --------------------------------------------------------------------------------


def test_row_major_strides_count_the_elements_behind_an_axis():
    assert contiguous_strides((2, 3, 4)) == (12, 4, 1)
    assert contiguous_strides(()) == ()
    assert contiguous_strides((2, 0, 3)) == (3, 3, 1)


def test_numel_of_no_axes_is_one():
    assert (numel(()), numel((2, 3)), numel((2, 0))) == (1, 6, 0)


def test_contiguous_means_that_places_count_up_by_one():
    for shape, strides in LAYOUTS:
        assert is_contiguous(shape, strides) == (
            places(shape, strides) == list(range(numel(shape)))
        ), (shape, strides)


def test_dense_means_that_every_place_of_a_block_is_used_once():
    for shape, strides in LAYOUTS:
        used = sorted(places(shape, strides))
        assert is_dense(shape, strides) == (used == list(range(numel(shape)))), (shape, strides)


def test_no_collision_of_places_goes_unnoticed():
    for shape, strides in LAYOUTS:
        used = places(shape, strides)
        if len(set(used)) != len(used):
            assert overlaps(shape, strides), (shape, strides)


@pytest.mark.parametrize(
    ("shape", "strides"),
    [
        ((2, 3), (1, 2)),
        ((2, 3), (12, 4)),
        ((4,), (5,)),
        ((1, 3), (0, 1)),
        ((0, 2), (0, 0)),
        ((), ()),
    ],
)
def test_views_that_repeat_no_place_do_not_overlap(shape: Shape, strides: Strides):
    assert not overlaps(shape, strides)


def test_extent_reaches_past_the_last_place():
    for shape, strides in LAYOUTS:
        used = places(shape, strides)
        assert extent(shape, strides, 5) == (max(used) + 6 if used else 0)
    assert extent((2, 3), (3, 1)) == 6


# --- parameters -----------------------------------------------------------------------------------


def test_axes_count_from_either_end():
    assert [normalize_dim(dim, 3, "sum") for dim in (0, 2, -1, -3)] == [0, 2, 2, 0]


def test_a_tensor_without_axes_accepts_the_first_and_the_last():
    assert normalize_dim(0, 0, "sum") == normalize_dim(-1, 0, "sum") == 0
    assert normalize_dims(0, 0, "sum") == normalize_dims((-1,), 0, "sum") == ()


@pytest.mark.parametrize(("dim", "ndim"), [(3, 3), (-4, 3), (1, 0), (-2, 0)])
def test_an_axis_out_of_range_is_an_index_error(dim: int, ndim: int):
    with pytest.raises(RangeError, match=r"sum: dim: expected an axis from -\d to \d") as caught:
        normalize_dim(dim, ndim, "sum")
    assert isinstance(caught.value, IndexError)
    assert caught.value.got == dim


def test_a_fractional_axis_is_a_type_error():
    with pytest.raises(DtypeError, match=r"sum: dim: expected an integer, got 1\.0"):
        normalize_dim(1.0, 2, "sum")  # pyright: ignore[reportArgumentType]


def test_axes_come_back_unique_and_ascending():
    assert normalize_dims((-1, 0), 3, "sum") == (0, 2)
    assert normalize_dims([1], 3, "sum") == normalize_dims(-2, 3, "sum") == (1,)
    assert normalize_dims(None, 3, "sum") == (0, 1, 2)
    assert normalize_dims((), 3, "sum") == ()


@pytest.mark.parametrize(("dims", "ndim"), [((0, 0), 2), ((1, -1), 2), ((0, -1), 0)])
def test_an_axis_named_twice_is_refused(dims: tuple[int, ...], ndim: int):
    with pytest.raises(ShapeError, match="each axis once"):
        normalize_dims(dims, ndim, "sum")


def test_one_number_stands_for_every_spatial_axis():
    assert to_tuple(2, 3, "conv3d", "stride") == (2, 2, 2)
    assert to_tuple([2], 3, "conv3d", "stride") == (2, 2, 2)
    assert to_tuple([1, 2], 2, "conv2d", "stride") == (1, 2)


def test_a_parameter_for_the_wrong_number_of_axes_is_refused():
    with pytest.raises(ArgumentError, match="conv2d: stride: expected one int or 2 of them"):
        to_tuple((1, 2, 3), 2, "conv2d", "stride")


@pytest.mark.parametrize("value", [1.5, (1, 1.5), ("a",)])
def test_a_parameter_that_is_no_integer_is_a_type_error(value: int):
    with pytest.raises(DtypeError, match="conv2d: stride: expected integers"):
        to_tuple(value, 2, "conv2d", "stride")


def test_integers_of_other_libraries_become_plain_ints():
    class Foreign:
        def __index__(self) -> int:
            return 3

    assert as_ints([Foreign(), 2], "view") == (3, 2)
    assert type(as_ints([True], "view")[0]) is int
    assert to_tuple(Foreign(), 2, "view", "size") == (3, 3)
    assert normalize_dims(Foreign(), 4, "sum") == (3,)


# --- broadcasting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([], ()),
        ([(2, 3)], (2, 3)),
        ([(), (2, 3)], (2, 3)),
        ([(3,), (2, 3)], (2, 3)),
        ([(2, 1), (3,)], (2, 3)),
        ([(1, 0), (4, 1)], (4, 0)),
        ([(5, 1, 1), (4, 1), (3,)], (5, 4, 3)),
    ],
)
def test_shapes_broadcast_from_the_last_axis(shapes: list[Shape], expected: Shape):
    assert broadcast_shapes("add", *shapes) == expected
    assert broadcast_shapes("add", *reversed(shapes)) == expected


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(2, 3), (2, 4)], r"got \(2, 3\) and \(2, 4\): sizes 3 and 4 at axis -1"),
        ([(2, 1), (3, 1, 5), (4, 1)], r"got \(2, 1\) and \(4, 1\): sizes 2 and 4 at axis -2"),
        ([(1, 1), (0,), (2, 3)], r"got \(0,\) and \(2, 3\): sizes 0 and 3 at axis -1"),
    ],
)
def test_shapes_that_clash_are_named_with_the_axis(shapes: list[Shape], message: str):
    with pytest.raises(ShapeError, match=f"add: operands: expected .*{message}"):
        broadcast_shapes("add", *shapes)


# --- shapes from shapes ---------------------------------------------------------------------------


def test_reduced_axes_go_or_become_one():
    assert reduce_shape((2, 3, 4), (0, 2), keepdim=False) == (3,)
    assert reduce_shape((2, 3, 4), (0, 2), keepdim=True) == (1, 3, 1)
    assert reduce_shape((2, 3), (), keepdim=True) == (2, 3)


def test_a_missing_size_is_inferred():
    assert infer_shape((2, -1, 3), 12, "view") == (2, 2, 3)
    assert infer_shape((-1,), 0, "view") == (0,)
    assert infer_shape((-1, 5), 0, "view") == (0, 5)
    assert infer_shape((), 1, "view") == ()


@pytest.mark.parametrize(
    ("sizes", "count", "message"),
    [
        ((-1, -1), 4, "-1 at most once"),
        ((-2, 2), 4, "sizes from 0 up"),
        ((-1, 3), 4, "expected a shape of 4 elements"),
        ((2, 3), 4, "expected a shape of 4 elements"),
        ((-1, 0), 0, "write it out"),
        ((), 2, "expected a shape of 2 elements"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: Shape, count: int, message: str):
    with pytest.raises(ShapeError, match=f"view: shape: .*{message}") as caught:
        infer_shape(sizes, count, "view")
    assert caught.value.got == sizes


def test_squeeze_drops_axes_of_size_one():
    assert squeeze_shape((1, 2, 1), None, "squeeze") == (2,)
    assert squeeze_shape((1, 2, 1), -1, "squeeze") == (1, 2)
    assert squeeze_shape((1, 2, 1), (0, 1), "squeeze") == (2, 1)


def test_unsqueeze_counts_the_axis_in_the_result():
    assert unsqueeze_shape((2, 3), 0, "unsqueeze") == (1, 2, 3)
    assert unsqueeze_shape((2, 3), -1, "unsqueeze") == (2, 3, 1)
    with pytest.raises(RangeError, match="from -3 to 2"):
        unsqueeze_shape((2, 3), 3, "unsqueeze")


def test_flatten_joins_a_run_of_axes():
    assert flatten_shape((2, 3, 4), 0, -1, "flatten") == (24,)
    assert flatten_shape((2, 3, 4), 0, 1, "flatten") == (6, 4)
    assert flatten_shape((2, 3, 4), 1, 2, "flatten") == (2, 12)
    assert flatten_shape((2, 3), 1, 1, "flatten") == (2, 3)
    assert flatten_shape((), 0, -1, "flatten") == (1,)
    with pytest.raises(ShapeError, match="start_dim: expected an axis not after end_dim"):
        flatten_shape((2, 3), 1, 0, "flatten")


def test_unflatten_splits_an_axis():
    assert unflatten_shape((2, 12), 1, (3, -1), "unflatten") == (2, 3, 4)
    assert unflatten_shape((12, 2), -2, (3, 4), "unflatten") == (3, 4, 2)


@pytest.mark.parametrize(("shape", "sizes"), [((), (1,)), ((2,), ()), ((4,), (3, 2))])
def test_unflatten_needs_an_axis_and_sizes_that_fit(shape: Shape, sizes: Sequence[int]):
    with pytest.raises(OperatorError, match="unflatten"):
        unflatten_shape(shape, 0, sizes, "unflatten")
