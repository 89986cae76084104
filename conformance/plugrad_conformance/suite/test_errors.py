"""Errors: a call that makes no sense raises the typed exception, which says operator, argument,
expected and got.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import plugrad
from plugrad import errors, ops
from plugrad.dtypes import ALL
from plugrad_conformance.case import DTYPE, Array, Case
from plugrad_conformance.cases import CASES
from plugrad_conformance.rows import (
    Row,
    leaves,
    nested,
    to_numpy,
    to_tensors,
    typical_rows,
)

LEVEL = 1

F = plugrad.nn.functional


def assert_says_enough(error: errors.OperatorError, operator: str = "") -> None:
    """Check the fields that an error message is made of."""
    assert error.operator
    assert error.argument
    assert error.expected
    assert str(error.got)
    assert not operator or error.operator == operator
    assert f"expected {error.expected}, got {error.got}" in str(error)


# what follows from the rows -----------------------------------------------------------------------


def follows_dtype(case: Case) -> bool:
    """Whether users can give the case a tensor or a parameter of the row's dtype.

    What derivatives and optimizers call gets the dtypes of what was accepted before.
    """
    if case.name.endswith(("_backward", "_gradient", "_step")):
        return False
    made = next(iter(case.variants.values()))
    return any(recipe.dtype is None for recipe in leaves(made.tensors)) or (
        DTYPE in made.params.values() and case.name not in ("full", "empty", "arange", "randint")
    )


def refused() -> list[Row]:
    """Each operator in each dtype that none of its rows has."""
    accepted: dict[Any, set[Any]] = {}
    for case in CASES:
        accepted.setdefault(case.operator, set()).update(case.dtypes, case.also)
    found: dict[str, Row] = {}
    firsts = {case.operator: case for case in reversed(CASES)}
    for case in filter(follows_dtype, CASES):
        for dtype in ALL:
            if case is firsts[case.operator] and dtype not in accepted[case.operator]:
                row = Row(case, next(iter(case.variants)), dtype)
                found.setdefault(str(row), row)
    return list(found.values())


@pytest.mark.parametrize("row", refused(), ids=str)
def test_dtype_that_no_row_names_is_refused(row: Row, device: str) -> None:
    tensors = to_tensors(row.arrays(), device)
    with pytest.raises(errors.DtypeError) as caught:
        row.run(tensors, row.params(device))
    assert_says_enough(caught.value)


def has_two_tensors(case: Case) -> bool:
    """Whether devices can disagree; what copies from one device to another is exempt."""
    made = next(iter(case.variants.values()))
    return len(list(leaves(made.tensors))) > 1 and case.name != "copy_"


@pytest.mark.parametrize("row", typical_rows(has_two_tensors), ids=str)
def test_tensors_on_two_devices_are_refused_with_both_names(row: Row, device: str) -> None:
    count = len(list(leaves(row.call.tensors)))
    positions = iter(range(count))
    tensors = nested(
        lambda tensor: tensor.to("meta") if next(positions) == count - 1 else tensor,
        to_tensors(row.arrays(), device),
    )
    with pytest.raises(errors.DeviceError) as caught:
        row.run(tensors, row.params(device))
    assert_says_enough(caught.value)
    assert device in str(caught.value)
    assert "meta" in str(caught.value)


# Operators that take positions, and from which number on one is too large.
ALONG = (
    *("gather", "index_select", "index_fill", "index_fill_", "scatter", "scatter_"),
    *("scatter_add", "scatter_add_", "scatter_mul", "scatter_mul_", "index_add", "index_add_"),
    *("index_copy", "index_copy_"),
)
COUNTED: dict[str, Callable[[Any], int]] = {
    **{name: lambda given: given["x"].shape[given["dim"]] for name in ALONG},
    **{name: lambda given: given["x"].shape[0] for name in ("index", "index_put", "index_put_")},
    "embedding": lambda given: given["weight"].shape[0],
    "cross_entropy": lambda given: given["x"].shape[1],
    "nll_loss": lambda given: given["x"].shape[1],
}
FROM_THE_END = ("index", "index_put", "index_put_", "index_fill", "index_fill_")


@pytest.mark.parametrize("end", ["past the end", "before the start", "far past", "far before"])
@pytest.mark.parametrize("row", typical_rows(lambda case: case.name in COUNTED), ids=str)
def test_position_outside_is_refused_and_named(row: Row, end: str, device: str) -> None:
    operator = row.case.operator
    given = dict(zip(operator.tensors, row.arrays(), strict=True))
    size = COUNTED[row.case.name](given | row.call.params)
    least = -size if row.case.name in FROM_THE_END else 0
    wrong = {"past the end": size, "before the start": least - 1}.get(end)
    wrong = (10**6 if end == "far past" else -(10**6)) if wrong is None else wrong
    name = next(each for each in ("index", "indices", "target") if each in given)
    chosen = given[name] if name != "indices" else given[name][0]
    chosen.reshape(-1)[-1] = wrong
    tensors = to_tensors(tuple(given.values()), device)
    with pytest.raises(errors.RangeError) as caught:
        row.run(tensors, row.params(device))
    assert_says_enough(caught.value)
    assert caught.value.got == wrong
    assert f" {size - 1} " in f"{caught.value.expected} "
    assert caught.value.operator in ops.operators
    assert caught.value.argument.partition("[")[0] in ("index", "indices", "target")


def broadcasts(case: Case) -> bool:
    return case.operator.family == "elementwise" and len(case.operator.tensors) > 1


@pytest.mark.parametrize("row", typical_rows(broadcasts), ids=str)
def test_shapes_that_do_not_broadcast_are_refused(row: Row, device: str) -> None:
    first, *others = to_tensors(row.arrays(), device)
    wrong = [ops.views.slice_dim(other, 1, 0, 3, 1) for other in others]
    with pytest.raises(errors.ShapeError) as caught:
        row.run((first, *wrong), row.params(device))
    assert_says_enough(caught.value)


def writes_the_first_of_several(case: Case) -> bool:
    made = next(iter(case.variants.values())).tensors
    plain = all(isinstance(recipe, Array) and recipe.dtype is None for recipe in made)
    return case.operator.family == "in_place" and len(made) > 1 and plain


@pytest.mark.parametrize("row", typical_rows(writes_the_first_of_several), ids=str)
def test_write_that_would_grow_its_target_is_refused_and_changes_nothing(
    row: Row, device: str
) -> None:
    target, *others = to_tensors(row.arrays(), device)
    before, version = to_numpy(target), target.version
    wide = [ops.views.expand(other, (2, *other.shape)) for other in others]
    with pytest.raises(errors.ShapeError) as caught:
        row.run((target, *wide), row.params(device))
    assert_says_enough(caught.value)
    np.testing.assert_array_equal(to_numpy(target), before)
    assert target.version == version


# what users do ------------------------------------------------------------------------------------


class Maker:
    """Tensors on the device under test."""

    def __init__(self, device: str) -> None:
        self.device = device

    def ones(self, *shape: int, dtype: Any = plugrad.float32) -> Any:
        """Ones."""
        return plugrad.ones(*shape, dtype=dtype, device=self.device)

    def at(self, *numbers: int) -> Any:
        """Positions."""
        return plugrad.tensor(list(numbers), dtype=plugrad.int64, device=self.device)


Misuse = Callable[[Maker], Any]
SHAPE, DTYPES, RANGE, ARGUMENT = (
    errors.ShapeError,
    errors.DtypeError,
    errors.RangeError,
    errors.ArgumentError,
)

MISUSES: dict[str, tuple[type[errors.OperatorError], Misuse]] = {
    # reductions
    "sum over an axis that is not there": (RANGE, lambda t: t.ones(3, 4).sum(2)),
    "sum over an axis twice": (SHAPE, lambda t: t.ones(3, 4).sum((0, -2))),
    "mean of integers": (DTYPES, lambda t: t.at(1, 2).mean()),
    "largest of nothing": (SHAPE, lambda t: t.ones(0, 3).amax(0)),
    "position of the largest of nothing": (SHAPE, lambda t: t.ones(0).argmax()),
    "position along an axis that is not there": (RANGE, lambda t: t.ones(3).argmax(1)),
    "running sum along an axis that is not there": (RANGE, lambda t: t.ones(3).cumsum(-2)),
    # views
    "reshape to another number of elements": (SHAPE, lambda t: t.ones(3, 4).reshape(5, 2)),
    "reshape with two unknown sizes": (SHAPE, lambda t: t.ones(3, 4).reshape(-1, -1)),
    "view that strides cannot serve": (SHAPE, lambda t: t.ones(3, 4).t().view(12)),
    "expand an axis that is not 1": (SHAPE, lambda t: t.ones(3, 4).expand(6, 4)),
    "permute with too few axes": (SHAPE, lambda t: t.ones(3, 4).permute(1)),
    "permute with an axis twice": (SHAPE, lambda t: t.ones(3, 4).permute(0, 0)),
    "transpose an axis that is not there": (RANGE, lambda t: t.ones(3, 4).transpose(0, 2)),
    "select past the end": (RANGE, lambda t: t.ones(3, 4).select(1, 4)),
    "select from a tensor without axes": (RANGE, lambda t: t.ones().select(0, 0)),
    "slice backwards": (ARGUMENT, lambda t: t.ones(3, 4)[::-1]),
    "diagonal of one axis": (SHAPE, lambda t: t.ones(3, 4).diagonal(0, 1, 1)),
    "windows larger than the axis": (SHAPE, lambda t: t.ones(3).unfold(0, 4, 1)),
    "windows that do not move": (ARGUMENT, lambda t: t.ones(3).unfold(0, 2, 0)),
    "complex view of single numbers": (DTYPES, lambda t: ops.views.view_as_complex(t.ones(3))),
    # joining
    "cat of different widths": (SHAPE, lambda t: plugrad.cat([t.ones(3, 4), t.ones(3, 5)], 0)),
    "cat of nothing": (ARGUMENT, lambda t: plugrad.cat([])),
    "cat along an axis that is not there": (RANGE, lambda t: plugrad.cat([t.ones(3)], 1)),
    "stack of different shapes": (SHAPE, lambda t: plugrad.stack([t.ones(3), t.ones(4)])),
    "flip of an axis that is not there": (RANGE, lambda t: t.ones(3).flip(1)),
    # positions
    "index past the end": (RANGE, lambda t: t.ones(3, 4)[t.at(0, 3)]),
    "index before the start": (RANGE, lambda t: t.ones(3, 4)[t.at(0, -4)]),
    "number past the end": (RANGE, lambda t: t.ones(3, 4)[5]),
    "more indices than axes": (RANGE, lambda t: t.ones(3)[0, 0]),
    "index by floats": (DTYPES, lambda t: t.ones(3)[t.ones(2)]),
    "mask of another shape": (RANGE, lambda t: t.ones(3)[t.ones(4) > 0]),
    "write past the end": (RANGE, lambda t: t.ones(3).index_fill(0, t.at(3), 1.0)),
    "add past the end": (
        RANGE,
        lambda t: ops.indexing.index_put(t.ones(3), (t.at(3),), t.ones(1), True),
    ),
    "add before the start": (
        RANGE,
        lambda t: ops.indexing.index_put(t.ones(3), (t.at(-4),), t.ones(1), True),
    ),
    "gather past the end": (RANGE, lambda t: t.ones(3).gather(0, t.at(3))),
    "gather by floats": (DTYPES, lambda t: t.ones(3).gather(0, t.ones(3))),
    "gather with another number of axes": (SHAPE, lambda t: t.ones(3, 4).gather(0, t.at(1))),
    "scatter past the end": (RANGE, lambda t: t.ones(3).scatter_add(0, t.at(3), t.ones(1))),
    "slices by a matrix of positions": (
        SHAPE,
        lambda t: t.ones(3).index_select(0, t.at(0, 1).reshape(1, 2)),
    ),
    "more of the largest than there are": (RANGE, lambda t: t.ones(3).topk(4)),
    "embedding past the end": (RANGE, lambda t: F.embedding(t.at(5), t.ones(5, 2))),
    # products
    "product of matrices that do not meet": (SHAPE, lambda t: t.ones(3, 4) @ t.ones(3, 4)),
    "product with a number": (SHAPE, lambda t: t.ones(3, 4) @ t.ones()),
    "product of two dtypes": (DTYPES, lambda t: t.ones(3, 4) @ t.ones(4, dtype=plugrad.float64)),
    "linear with another width": (SHAPE, lambda t: F.linear(t.ones(3, 4), t.ones(5, 3))),
    "linear with another bias": (SHAPE, lambda t: F.linear(t.ones(3, 4), t.ones(5, 4), t.ones(4))),
    # windows
    "convolution of other channels": (
        SHAPE,
        lambda t: F.conv2d(t.ones(1, 3, 5, 5), t.ones(2, 4, 3, 3)),
    ),
    "convolution with a kernel that does not fit": (
        SHAPE,
        lambda t: F.conv1d(t.ones(1, 1, 3), t.ones(1, 1, 5)),
    ),
    "convolution that does not move": (
        ARGUMENT,
        lambda t: F.conv1d(t.ones(1, 1, 3), t.ones(1, 1, 2), stride=0),
    ),
    "convolution in groups that do not divide": (
        SHAPE,
        lambda t: F.conv1d(t.ones(1, 4, 3), t.ones(3, 2, 1), groups=2),
    ),
    "pooling with too much padding": (
        ARGUMENT,
        lambda t: F.max_pool2d(t.ones(1, 1, 4, 4), 2, padding=2),
    ),
    # models
    "softmax of integers": (DTYPES, lambda t: t.at(1, 2).softmax(0)),
    "softmax along an axis that is not there": (RANGE, lambda t: t.ones(3).softmax(1)),
    "layer norm over another shape": (SHAPE, lambda t: F.layer_norm(t.ones(3, 4), (3,))),
    "loss of too few targets": (SHAPE, lambda t: F.cross_entropy(t.ones(3, 4), t.at(0, 1))),
    "loss of a class that is not there": (RANGE, lambda t: F.cross_entropy(t.ones(1, 4), t.at(4))),
    "loss with float targets of classes": (DTYPES, lambda t: F.nll_loss(t.ones(2, 4), t.ones(2))),
    "loss with an unknown reduction": (
        ARGUMENT,
        lambda t: F.mse_loss(t.ones(3), t.ones(3), reduction="median"),
    ),
    "attention with keys of another size": (
        SHAPE,
        lambda t: F.scaled_dot_product_attention(t.ones(3, 4), t.ones(3, 5), t.ones(3, 4)),
    ),
    "filling with several numbers": (SHAPE, lambda t: t.ones(3).fill_(t.ones(3))),
    # parameters
    "clamp without a bound": (ARGUMENT, lambda t: t.ones(3).clamp()),
    "division rounded strangely": (
        ARGUMENT,
        lambda t: plugrad.div(t.ones(3), 2, rounding_mode="up"),
    ),
    "number from several elements": (SHAPE, lambda t: t.ones(3).item()),
    "random integers as floats in no range": (
        ARGUMENT,
        lambda t: plugrad.randint(3, 3, (2,), device=t.device),
    ),
    "uniform integers": (
        DTYPES,
        lambda t: plugrad.rand(3, dtype=plugrad.int64, device=t.device),
    ),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_misuse_raises_the_typed_error(misuse: str, device: str) -> None:
    kind, function = MISUSES[misuse]
    with pytest.raises(kind) as caught:
        function(Maker(device))
    assert_says_enough(caught.value)


def test_write_into_memory_that_overlaps_itself_is_refused(device: str) -> None:
    with pytest.raises(errors.InPlaceError, match="clone"):
        Maker(device).ones(1).expand(3).add_(1)
