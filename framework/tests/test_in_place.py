"""Methods in place, and results delivered into a tensor that the caller gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad import random, variates
from plugrad.errors import (
    ArgumentError,
    AutogradError,
    DtypeError,
    InPlaceError,
    ShapeError,
    UnsupportedError,
    VersionError,
)
from plugrad.in_place import InPlaceMethods

from .helpers import check_gradients

ONE = (
    "acos asin asinh atan atanh cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 frac i0 "
    "lgamma log log10 log1p log2 logit nan_to_num neg rad2deg reciprocal relu rsqrt sigmoid sign "
    "sin sinc sinh sqrt square tan tanh tril triu trunc conj_physical"
)
MORE: dict[str, tuple[Any, ...]] = {
    "atan2": (0.5,),
    "hypot": (0.5,),
    "fmod": (0.3,),
    "copysign": (-1.0,),
    "xlogy": (0.5,),
    "ldexp": (2,),
    "lt": (0.5,),
    "ge": (0.5,),
    "eq": (0.5,),
    "logical_and": (1,),
    "polygamma": (1,),
    "mvlgamma": (1,),
    "cumsum": (0,),
    "cumprod": (1,),
    "lerp": (1.0, 0.25),
    "true_divide": (3,),
}


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).uniform(0.2, 0.8, shape)


def operands(x: pg.Tensor, others: tuple[Any, ...]) -> list[Any]:
    return [pg.full_like(x, each) if type(each) is float else each for each in others]


@pytest.mark.parametrize(("name", "others"), [*[(name, ()) for name in ONE.split()], *MORE.items()])
def test_method_in_place_gives_its_own_tensor_what_the_function_gives(
    name: str, others: tuple[Any, ...]
) -> None:
    x = pg.tensor(draw(3, 3))
    wanted = getattr(x, name)(*operands(x, others)).to(x.dtype)
    written = x.clone()
    view = written[1]
    assert getattr(written, name + "_")(*operands(x, others)) is written
    assert pg.equal(written, wanted)
    assert pg.equal(view, wanted[1])


@pytest.mark.parametrize("name", ["sin", "lgamma", "logit", "cumprod", "hypot", "relu", "tan"])
def test_gradient_passes_through_a_method_in_place(name: str) -> None:
    others = MORE.get(name, ())

    def function(x: pg.Tensor) -> pg.Tensor:
        y = x * 2 - x
        getattr(y[1:], name + "_")(*operands(y[1:], others))
        return y * y

    check_gradients(function, draw(3, 2), second_order=False)


def test_every_method_in_place_has_a_function_or_operator_behind_it() -> None:
    plain = [name for name in vars(InPlaceMethods) if name.endswith("_") and name[0] != "_"]
    alone = {"copy_", "zero_", "fill_", "fill_diagonal_", *vars(random), *vars(variates)}
    assert [n for n in plain if n not in alone and not hasattr(pg.Tensor, n[:-1])] == []
    assert pg.sin_ is pg.Tensor.sin_
    with pytest.raises(AttributeError, match="no attribute 'nothing_'"):
        pg.nothing_  # noqa: B018


def test_what_does_not_fit_is_refused_by_name() -> None:
    with pytest.raises(DtypeError, match="sin_"):
        pg.tensor([1]).sin_()
    with pytest.raises(ShapeError, match="hypot_"):
        pg.ones(2).hypot_(pg.ones(3, 2))
    with pytest.raises(InPlaceError, match="lt_: a leaf"):
        pg.ones(2, requires_grad=True).lt_(1)
    with pytest.raises(InPlaceError, match="t_: a view of a leaf"):
        pg.ones(2, 2, requires_grad=True)[0].t_()


# shapes -------------------------------------------------------------------------------------------


def test_shape_changes_in_place_over_the_same_memory() -> None:
    x = pg.arange(6).reshape(1, 2, 3)
    before = x.data_ptr()
    assert x.squeeze_() is x
    assert x.shape == (2, 3)
    assert x.t_().tolist() == [[0, 3], [1, 4], [2, 5]]
    assert x.unsqueeze_(0).transpose_(0, 2).shape == (2, 3, 1)
    assert x.as_strided_((2,), (3,), 1).tolist() == [1, 4]
    assert x.untyped_storage() is not None
    assert before == x.data_ptr() - x.storage_offset() * x.element_size()


def test_gradient_passes_through_a_shape_changed_in_place() -> None:
    def function(x: pg.Tensor) -> pg.Tensor:
        y = x * 2
        y.unsqueeze_(0).transpose_(1, 2)
        y[0].mul_(3)
        y.squeeze_(0)
        y[0].exp_()
        return y * y

    check_gradients(function, draw(2, 3) / 4, second_order=False)


def test_leaf_changes_shape_where_nothing_is_recorded_and_stays_one() -> None:
    x = pg.ones(3, requires_grad=True)
    with pg.no_grad():
        x.unsqueeze_(0)
    (x * x).sum().backward()
    assert x.is_leaf
    assert x.grad.shape == (1, 3)


def test_tensor_that_backward_needs_may_not_change_its_shape() -> None:
    x = pg.ones(3, requires_grad=True) * 1
    y = x * x
    x.unsqueeze_(0)
    with pytest.raises(VersionError):
        y.sum().backward()


def test_shape_does_not_change_inside_a_transform() -> None:
    with pytest.raises(UnsupportedError, match="unsqueeze_"):
        pg.vmap(lambda x: (x * 1).unsqueeze_(0))(pg.ones(2, 3))


# out= ---------------------------------------------------------------------------------------------


def test_result_is_delivered_into_a_tensor_or_a_view_of_one() -> None:
    x, out = pg.tensor(draw(4)), pg.zeros(3, 4)
    assert pg.sin(x, out=out[1]).shape == (4,)
    np.testing.assert_allclose(out.numpy()[1], np.sin(x.numpy()), rtol=1e-6)
    assert not out[0].any()
    whole = pg.empty(4, dtype=pg.float64)
    assert pg.add(x, x, alpha=2, out=whole) is whole
    assert pg.equal(whole, x + 2 * x)


@pytest.mark.parametrize(
    ("function", "others"),
    [
        (pg.mul, (2.0,)),
        (pg.clamp, (0.3, 0.5)),
        (pg.div, (0.3,)),
        (pg.logit, ()),
        (pg.sum, (0,)),
        (pg.round, ()),
        (pg.where, None),
    ],
)
def test_tensor_without_elements_takes_the_result_whole(function: Any, others: Any) -> None:
    x, out = pg.tensor(draw(2, 3)), pg.empty(0)
    if others is None:
        arguments: tuple[Any, ...] = (x > 0.5, x, 0 * x)
    else:
        arguments = (x, *others)
    wanted = function(*arguments)
    assert function(*arguments, out=out) is out
    assert pg.equal(out, wanted.float())
    out.zero_()
    assert x.all()


def test_several_results_are_delivered_into_several_tensors() -> None:
    mantissa, exponent = pg.empty(0), pg.empty(2, dtype=pg.int32)
    pg.frexp(pg.tensor([3.0, 0.5]), out=(mantissa, exponent))
    assert (mantissa.tolist(), exponent.tolist()) == ([0.75, 0.5], [2, 0])
    with pytest.raises(ArgumentError, match="tuple of 2"):
        pg.frexp(pg.ones(2), out=mantissa)


def test_several_results_keep_their_names_where_they_are_delivered() -> None:
    places = pg.empty(0), pg.empty(0, dtype=pg.int64)
    found = pg.sort(pg.tensor([2.0, 1.0]), out=places)
    assert found.values is places[0]
    assert found.indices is places[1]


def test_products_factors_and_spectra_are_delivered_too() -> None:
    x = pg.tensor(draw(3, 3)).float()
    for function in (pg.mm, pg.matmul, pg.kron, pg.inner, pg.linalg.solve):
        out = pg.empty(0)
        assert function(x, x, out=out) is out
        assert pg.equal(out, function(x, x))
    parts = [pg.empty(0) for _ in range(3)]
    assert pg.linalg.svd(x, out=parts).S is parts[1]
    assert pg.equal(parts[1], pg.linalg.svdvals(x))
    spectrum = pg.empty(3, 2, dtype=pg.complex64)
    assert pg.fft.rfft(x, out=spectrum) is spectrum
    assert pg.equal(spectrum, pg.fft.rfft(x))
    assert pg.softmax(x, 1, out=(row := pg.empty(3, 3))) is row


def test_delivery_where_it_does_not_fit_is_refused() -> None:
    x = pg.ones(3)
    with pytest.raises(ShapeError, match="or no elements"):
        pg.exp(x, out=pg.empty(2))
    with pytest.raises(DtypeError, match="casts to"):
        pg.exp(x, out=pg.empty(3, dtype=pg.int64))
    with pytest.raises(ArgumentError, match="a tensor"):
        pg.exp(x, out=[])
    with pytest.raises(AutogradError, match="out="):
        pg.exp(pg.ones(3, requires_grad=True), out=pg.empty(3))
    with pg.no_grad():
        assert pg.exp(pg.ones(3, requires_grad=True), out=pg.empty(3)).shape == (3,)
