"""plugrad.testing: comparison within tolerances, and tensors of random elements."""

from __future__ import annotations

import math

import numpy as np
import pytest

import plugrad as pg
from plugrad import nn
from plugrad.errors import ArgumentError, KindError
from plugrad.testing import assert_close, make_tensor

X = pg.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (X, X + 1e-6),
        (X.half(), pg.tensor([1.0, 2.0, 3.002], dtype=pg.float16)),
        (nn.Parameter(X), X),
        (X.to(pg.complex64), X + 0j),
        (np.ones(3), np.ones(3) + 1e-9),
        ([X, {"a": (1, 2.0)}], [X, {"a": (1, 2.0)}]),
        (None, None),
        (True, True),
        (pg.tensor([True, False]), pg.tensor([True, False])),
        (math.inf, math.inf),
        (pg.tensor([]), pg.tensor([])),
    ],
)
def test_what_differs_by_rounding_is_close(actual, expected):
    assert_close(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected", "message"),
    [
        (X, pg.tensor([1.0, 2.5, 4.0]), r"2 / 3 \(66.7%\)\nGreatest absolute difference: 1.0 at"),
        (
            pg.tensor([1, 2]),
            pg.tensor([1, 4]),
            r"not equal!\n\n.*\n.*difference: 2 at index \(1,\)",
        ),
        (pg.tensor([True, False]), pg.tensor([True, True]), "difference: 1 at"),
        (pg.tensor(1.0), pg.tensor(2.0), r"difference: 1.0 \(up to 1e-05 allowed\)"),
        (pg.tensor([1, 2], dtype=pg.uint8), pg.tensor([3, 2], dtype=pg.uint8), "difference: 2 at"),
        (X, pg.tensor([1.0, math.nan, 9.0]), r"difference: nan at index \(1,\)"),
        (X, X[None], "'shape'"),
        (X, X.double(), "'dtype'"),
        (1.0, 1.1, "Expected 1.1 but got 1.0"),
        (1, 1.0, "types do not match"),
        (True, False, "Booleans"),
        (None, X, "None mismatch"),
        ([X], [X, X], "lengths of the sequences"),
        ({"a": X}, {"b": X}, "Missing:.*b.*\nUnexpected:.*a"),
        ([X, {"a": X}], [X, {"a": X + 1}], r"for item \[1\]\['a'\]"),
    ],
)
def test_what_differs_is_said(actual, expected, message):
    with pytest.raises(AssertionError, match=message):
        assert_close(actual, expected)


def test_what_is_compared_can_be_chosen():
    assert_close(X, X.double(), check_dtype=False)
    assert_close(X, X + 0.5, rtol=0, atol=0.6)
    assert_close(pg.tensor([math.nan]), pg.tensor([math.nan]), equal_nan=True)
    twin = pg.ones(2, 3).t()
    assert_close(twin, twin.contiguous())
    with pytest.raises(AssertionError, match="stride"):
        assert_close(twin, twin.contiguous(), check_stride=True)
    with pytest.raises(KindError):
        assert_close(nn.Parameter(X), X, allow_subclasses=False)


def test_the_message_can_be_replaced_or_changed():
    with pytest.raises(AssertionError, match=r"^mine$"):
        assert_close(X, X + 1, msg="mine")
    with pytest.raises(AssertionError, match=r"^mine: Tensor-likes"):
        assert_close(X, X + 1, msg=lambda text: f"mine: {text}")


def test_what_cannot_be_compared_is_refused():
    for actual, expected in (("a", "a"), (X, [1.0, 2.0, 3.0]), (X, 1.0), (object(), object())):
        with pytest.raises(KindError, match="of one kind"):
            assert_close(actual, expected)
    with pytest.raises(ArgumentError, match="both rtol and atol"):
        assert_close(X, X, rtol=1.0)


@pytest.mark.parametrize(
    "dtype", [pg.bool, pg.uint8, pg.int8, pg.int64, pg.float16, pg.bfloat16, pg.float64]
)
def test_elements_lie_between_the_limits(dtype):
    made = make_tensor(30, 30, dtype=dtype)
    limits = {pg.bool: (0, 1), pg.uint8: (0, 9), pg.int8: (-9, 9), pg.int64: (-9, 9)}
    low, high = limits.get(dtype, (-9, 9))
    assert made.dtype is dtype
    assert low == pytest.approx(made.double().min().item(), abs=0.3)
    assert high == pytest.approx(made.double().max().item(), abs=0.3)
    narrow = make_tensor((500,), dtype=dtype, low=0, high=2)
    assert 0 <= narrow.double().min() <= narrow.double().max() < 2


def test_limits_beyond_the_dtype_become_its_ends():
    assert make_tensor(9, dtype=pg.float32, low=-math.inf, high=math.inf).isfinite().all()
    assert make_tensor(99, dtype=pg.int8, low=-1e9, high=1e9).double().abs().max() <= 128


def test_samples_can_have_gaps_a_format_and_a_gradient():
    assert not make_tensor(2, 3, dtype=pg.float32, noncontiguous=True).is_contiguous()
    images = make_tensor(2, 3, 4, 5, dtype=pg.float32, memory_format=pg.channels_last)
    assert images.is_contiguous(memory_format=pg.channels_last)
    leaf = make_tensor([3], dtype=pg.complex64, requires_grad=True)
    assert leaf.is_leaf
    assert leaf.requires_grad
    assert leaf.imag.abs().sum() > 0


@pytest.mark.parametrize("dtype", [pg.bool, pg.int64, pg.float32, pg.complex64])
def test_zeros_can_be_left_out(dtype):
    made = make_tensor(
        200, dtype=dtype, low=0, high=2 if dtype.kind == "int" else None, exclude_zero=True
    )
    assert (made != 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": pg.float32, "low": 2, "high": 2}, "below high"),
        ({"dtype": pg.float32, "low": math.nan}, "a number"),
        ({"dtype": pg.int64, "low": 0.2, "high": 0.8}, "an integer from low"),
        ({"dtype": pg.int64, "requires_grad": True}, "False for"),
        (
            {"dtype": pg.float32, "noncontiguous": True, "memory_format": pg.contiguous_format},
            "None beside",
        ),
    ],
)
def test_samples_that_cannot_be_are_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        make_tensor(3, **options)
