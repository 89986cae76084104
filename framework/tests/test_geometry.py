"""View geometry, held against a plain model: nested indices over a flat run of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.geometry import (
    Geometry,
    as_strided,
    diagonal,
    expand,
    permute,
    select,
    slice_bounds,
    slice_dim,
    unfold,
    view,
    view_strides,
    window_count,
    window_counts,
    windows,
)
from plugrad.shapes import Shape, contiguous_strides, is_contiguous, numel

Index = tuple[int, ...]

# Row-major, transposed, cut out of a larger block, expanded, without axes, empty.
SOURCES: list[Geometry] = [
    ((2, 3, 4), (12, 4, 1), 0),
    ((4, 3, 2), (1, 4, 12), 5),
    ((2, 3, 2), (24, 8, 2), 1),
    ((3, 1, 4), (4, 9, 1), 2),
    ((3, 5), (0, 1), 0),
    ((), (), 7),
    ((2, 0, 3), (3, 3, 1), 0),
]


def positions(shape: Shape) -> list[Index]:
    return list(itertools.product(*map(range, shape)))


def place(geometry: Geometry, at: Index) -> int:
    _, strides, offset = geometry
    return offset + sum(i * stride for i, stride in zip(at, strides, strict=True))


def assert_maps(out: Geometry, source: Geometry, back: Callable[[Index], Sequence[int]]) -> None:
    """Every element of the view lies where `back` of its position lies in the source."""
    assert len(out[0]) == len(out[1])
    for at in positions(out[0]):
        origin = tuple(back(at))
        assert all(0 <= i < size for i, size in zip(origin, source[0], strict=True)), (at, origin)
        assert place(out, at) == place(source, origin), (at, origin)


# --- reshaping ------------------------------------------------------------------------------------


def factorings(count: int, most: int = 4) -> list[Shape]:
    sizes = [n for n in range(1, count + 1) if count % n == 0]
    return [
        shape
        for ndim in range(most)
        for shape in itertools.product(sizes, repeat=ndim)
        if numel(shape) == count
    ]


@pytest.mark.parametrize("source", [s for s in SOURCES if 0 not in s[0]])
def test_a_view_exists_exactly_where_some_strides_reach_every_element(source: Geometry):
    order = [place(source, at) for at in positions(source[0])]
    seen = {True: 0, False: 0}
    for shape in factorings(len(order)):
        # The places of the first steps fix the only strides that could serve.
        dense = contiguous_strides(shape)
        needed = [order[d] - order[0] if n > 1 else 0 for n, d in zip(shape, dense, strict=True)]
        wanted = (shape, tuple(needed), order[0])
        possible = (
            min(needed, default=0) >= 0 and [place(wanted, at) for at in positions(shape)] == order
        )
        found = view_strides(source[0], source[1], shape)
        assert (found is not None) == possible, shape
        if found is not None:
            assert [place((shape, found, source[2]), at) for at in positions(shape)] == order
        seen[possible] += 1
    assert seen[True]


def test_a_view_infers_a_size():
    assert view((2, 3, 4), (12, 4, 1), 5, (-1, 4)) == ((6, 4), (4, 1), 5)
    assert view((2, 0, 3), (3, 3, 1), 0, (0, 7)) == ((0, 7), (7, 1), 0)


def test_a_view_that_needs_a_copy_says_what_to_call():
    with pytest.raises(ShapeError, match=r"use reshape\(\), or contiguous\(\) first") as caught:
        view((2, 3), (1, 2), 0, (6,))
    assert (caught.value.operator, caught.value.got) == ("view", (6,))


def test_a_view_of_another_size_is_refused_in_the_caller_s_name():
    with pytest.raises(ShapeError, match="flatten: shape: expected a shape of 6 elements"):
        view((2, 3), (3, 1), 0, (5,), "flatten")


@pytest.mark.parametrize("source", SOURCES)
def test_permute_moves_axes(source: Geometry):
    ndim = len(source[0])
    for dims in itertools.permutations(range(ndim)):
        out = permute(*source, [dim - ndim if dim % 2 else dim for dim in dims])
        assert out[0] == tuple(source[0][dim] for dim in dims)
        assert_maps(out, source, lambda at, dims=dims: [at[dims.index(i)] for i in range(ndim)])


@pytest.mark.parametrize("dims", [(0, 0), (0,), (0, 1, 2), (0, -2), ()])
def test_permute_needs_every_axis_once(dims: Shape):
    with pytest.raises(ShapeError, match="permute: dims: expected each of the 2 axes once"):
        permute((2, 3), (3, 1), 0, dims)


def test_permute_of_no_axes_takes_no_axes():
    with pytest.raises(ShapeError, match="each of the 0 axes once"):
        permute((), (), 0, (0,))


def test_permute_refuses_an_axis_out_of_range():
    with pytest.raises(RangeError, match="permute: dims"):
        permute((2, 3), (3, 1), 0, (0, 2))


def test_expand_repeats_axes_of_size_one():
    source = ((3, 1, 4), (4, 9, 1), 2)
    out = expand(*source, (5, -1, 2, 4))
    assert out == ((5, 3, 2, 4), (0, 4, 0, 1), 2)
    assert_maps(out, source, lambda at: (at[1], 0, at[3]))


def test_expand_may_leave_nothing():
    assert expand((1, 2), (2, 1), 0, (0, 2))[0] == (0, 2)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((3, 5), r"expected 4 or -1 at axis -1, as in \(3, 4\)"),
        ((4,), "at least 2 sizes"),
        ((-1, 3, 4), "-1 only for axes that are there"),
        ((-2, 3, 4), "sizes from 0 up"),
    ],
)
def test_expand_refuses_what_cannot_repeat(sizes: Shape, message: str):
    with pytest.raises(ShapeError, match=f"expand: size: .*{message}"):
        expand((3, 4), (4, 1), 0, sizes)


# --- cutting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES[:5])
def test_slices_take_what_python_takes(source: Geometry):
    bounds = (None, -9, -2, 0, 1, 3, 9)
    for dim, start, stop, step in itertools.product((0, -1), bounds, bounds, (1, 2, 3, None)):
        kept = range(source[0][dim])[start:stop:step]
        out = slice_dim(*source, dim, start, stop, step)
        assert out[0][dim] == len(kept)
        axis = dim % len(source[0])

        def back(at: Index, axis: int = axis, kept: range = kept) -> Index:
            return (*at[:axis], kept[at[axis]], *at[axis + 1 :])

        assert_maps(out, source, back)


def test_a_slice_takes_every_element_unless_told_otherwise():
    assert slice_dim((5, 2), (2, 1), 0, 0, 1, None) == ((4, 2), (2, 1), 2)
    assert slice_bounds(5, 1, None) == (1, 5, 1)


def test_slice_bounds_never_cross():
    assert slice_bounds(5, 4, 2, 1) == (4, 4, 1)
    assert slice_bounds(5, -3, None, None) == (2, 5, 1)
    assert slice_bounds(0, 1, 9, 2) == (0, 0, 2)


@pytest.mark.parametrize("step", [0, -1])
def test_a_slice_steps_forward(step: int):
    with pytest.raises(ArgumentError, match=rf"expected a step above 0, got {step}; flip\(\)"):
        slice_dim((5,), (1,), 0, 0, None, None, step)


def test_a_fractional_bound_is_a_type_error():
    with pytest.raises(DtypeError, match="slice: slice: expected integers or None"):
        slice_bounds(5, 0.5, None, 1)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("source", SOURCES[:5])
def test_select_drops_an_axis(source: Geometry):
    for axis, size in enumerate(source[0]):
        for index in range(-size, size):
            out = select(*source, axis, index)

            def back(at: Index, axis: int = axis, index: int = index % size) -> Index:
                return (*at[:axis], index, *at[axis:])

            assert_maps(out, source, back)


@pytest.mark.parametrize("index", [3, -4])
def test_select_refuses_an_index_out_of_range(index: int):
    with pytest.raises(RangeError, match=r"index from -3 to 2 at axis 1 of \(2, 3\)"):
        select((2, 3), (3, 1), 0, -1, index)


def test_select_refuses_a_fractional_index():
    with pytest.raises(DtypeError, match=r"select: index: expected an integer, got 0\.0"):
        select((2,), (1,), 0, 0, 0.0)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("cut", [partial(select, index=0), partial(slice_dim, start=0, stop=1)])
def test_a_tensor_without_axes_cannot_be_cut(cut: Any):
    with pytest.raises(RangeError, match="expected a tensor with axes"):
        cut((), (), 0, dim=0)


@pytest.mark.parametrize("source", SOURCES[:4])
@pytest.mark.parametrize("above", range(-4, 5))
def test_diagonal_walks_two_axes_at_once(source: Geometry, above: int):
    rows, _, columns = source[0]
    out = diagonal(*source, above, 0, -1)
    on_it = [r for r in range(rows) if 0 <= r + above < columns]
    assert out[0] == (source[0][1], len(on_it))
    assert_maps(out, source, lambda at: (on_it[at[1]], at[0], on_it[at[1]] + above))


def test_diagonal_of_a_matrix_needs_no_arguments():
    assert diagonal((2, 3), (3, 1), 1) == ((2,), (4,), 1)


def test_diagonal_needs_two_axes():
    with pytest.raises(ShapeError, match="an axis other than dim1"):
        diagonal((2, 2), (2, 1), 0, 0, 1, -1)
    with pytest.raises(RangeError, match="diagonal: dim2"):
        diagonal((2,), (1,), 0)


# --- windows --------------------------------------------------------------------------------------


def windows_by_walking(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> int:
    """Window starts counted one by one: each must fit, or in ceil mode be needed and start early
    enough.
    """
    reach = dilation * (kernel - 1) + 1
    count = 0
    for start in range(0, size + 2 * padding, stride):
        fits = start + reach <= size + 2 * padding
        # One more where the last that fits left some of the padded input unseen.
        previous_end = start - stride + reach
        needed = start > 0 and previous_end < size + 2 * padding and start < size + padding
        if fits or (ceil_mode and needed):
            count += 1
    return count


def test_windows_are_counted_as_walking_counts_them():
    cases = itertools.product(range(1, 12), (1, 2, 3, 4), (1, 2, 3, 4), (0, 1, 2), (1, 2, 3))
    for size, kernel, stride, padding, dilation in cases:
        if padding * 2 > kernel or dilation * (kernel - 1) + 1 > size + 2 * padding:
            continue
        for ceil_mode in (False, True):
            case = (size, kernel, stride, padding, dilation, ceil_mode)
            assert window_count(*case) == windows_by_walking(*case), case


def test_ceil_mode_admits_no_window_that_sees_padding_alone():
    assert window_count(5, 2, 2, 0, 1) == 2
    assert window_count(5, 2, 2, 0, 1, ceil_mode=True) == 3
    assert window_count(1, 1, 2, 0, 1, ceil_mode=True) == 1
    assert window_count(4, 3, 4, 1, 1, ceil_mode=True) == 2
    assert window_count(3, 3, 4, 1, 1, ceil_mode=True) == 1


def test_a_window_as_large_as_its_input_fits_once():
    assert window_counts((5, 3), (3, 3), (1, 2), (0, 0), (2, 1), "conv2d") == (1, 1)


def test_a_window_larger_than_its_input_is_refused():
    with pytest.raises(ShapeError, match=r"fits the padded input \(5, 4\), got \(4, 7\)"):
        window_counts((3, 2), (2, 3), (1, 1), (1, 1), (3, 3), "conv2d")


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("kernel_size", (0, 1, 0, 1)),
        ("stride", (1, 0, 0, 1)),
        ("dilation", (1, 1, 0, 0)),
        ("padding", (1, 1, -1, 1)),
    ],
)
def test_window_parameters_below_their_least_are_named(argument: str, values: Shape):
    kernel, stride, padding, dilation = [(value,) for value in values]
    with pytest.raises(ArgumentError, match=f"max_pool1d: {argument}: expected values from"):
        window_counts((4,), kernel, stride, padding, dilation, "max_pool1d")


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [((3, 2), (1, 1), (1, 1)), ((2, 2), (2, 3), (1, 1)), ((2, 3), (1, 2), (3, 1))],
)
def test_windows_lay_every_kernel_position_along_its_own_axes(
    kernel: Shape, stride: Shape, dilation: Shape
):
    source: Geometry = ((2, 3, 5, 6), (1, 2, 36, 6), 4)
    out = windows(*source, kernel, stride, dilation)
    counts = window_counts((5, 6), kernel, stride, (0, 0), dilation, "windows")
    assert out[0] == (2, 3, *counts, *kernel)

    def back(at: Index) -> Index:
        n, c, y, x, i, j = at
        return n, c, y * stride[0] + i * dilation[0], x * stride[1] + j * dilation[1]

    assert_maps(out, source, back)


@pytest.mark.parametrize("source", SOURCES[:5])
def test_unfold_lays_windows_along_a_last_axis(source: Geometry):
    for axis, room in enumerate(source[0]):
        for size, step in itertools.product(range(room + 1), (1, 2, 3)):
            out = unfold(*source, axis, size, step)
            assert out[0][axis] == len(range(0, room - size + 1, step))
            assert out[0][-1] == size

            def back(at: Index, axis: int = axis, step: int = step) -> Index:
                return (*at[:axis], at[axis] * step + at[-1], *at[axis + 1 : -1])

            assert_maps(out, source, back)


def test_unfold_sees_a_tensor_without_axes_as_one_element():
    assert unfold((), (), 3, 0, 1, 1) == ((1,), (1,), 3)


def test_unfold_refuses_windows_that_do_not_fit():
    with pytest.raises(ShapeError, match="unfold: size: expected a size from 0 to 4, got 5"):
        unfold((4,), (1,), 0, 0, 5, 1)
    with pytest.raises(ShapeError):
        unfold((4,), (1,), 0, 0, -1, 1)
    with pytest.raises(ArgumentError, match="a step above 0"):
        unfold((4,), (1,), 0, 0, 2, 0)


# --- any geometry ---------------------------------------------------------------------------------


def test_as_strided_takes_what_it_is_told():
    out = as_strided((4, 4), (4, 1), 3, (2, 2), (5, 1), 6)
    assert out == ((2, 2), (5, 1), 6)
    assert as_strided((4,), (1,), 3, (), ()) == ((), (), 3)
    assert is_contiguous(*as_strided((4,), (1,), 0, (2, 2), (2, 1))[:2])


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("stride", ((2, 2), (1,), 0)),
        ("size", ((-1,), (1,), 0)),
        ("stride", ((2,), (-1,), 0)),
        ("storage_offset", ((2,), (1,), -1)),
    ],
)
def test_as_strided_refuses_what_lies_before_the_storage(argument: str, given: Any):
    with pytest.raises(ShapeError, match=f"as_strided: {argument}: expected"):
        as_strided((4,), (1,), 0, *given)
