"""Calls as PyTorch's users write them: the arguments' names, the dtypes taken and refused, and
whether a result has memory of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, PlugradError, ShapeError

X = pg.tensor([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("named", "plain"),
    [
        (lambda: pg.matmul(X, other=X), lambda: X @ X),
        (lambda: pg.pow(X, exponent=2), lambda: X * X),
        (lambda: X.clone().pow_(exponent=2), lambda: X * X),
        (lambda: X.max(other=X.T), lambda: pg.maximum(X, X.T)),
        (lambda: X.swapaxes(axis0=0, axis1=1), lambda: X.T),
        (lambda: X.tile(dims=(2, 1)), lambda: pg.cat([X, X])),
        (lambda: X.split(split_size=1)[1], lambda: X[1:]),
        (lambda: pg.hsplit(X, sections=2)[1], lambda: X[:, 1:]),
        (lambda: pg.vsplit(X, indices=[1])[0], lambda: X[:1]),
        (lambda: pg.tensor_split(X, pg.tensor(2))[0], lambda: X[:1]),
        (lambda: pg.tensor_split(X, pg.tensor([1]))[1], lambda: X[1:]),
        (lambda: pg.zeros(size=(2, 2)), lambda: X * 0),
        (lambda: X.sum_to_size(size=(1, 2)), lambda: X.sum(0, True)),
        (lambda: X.var(0, unbiased=False), lambda: X.var(0, correction=0)),
        (lambda: pg.trapezoid(X, dx=2), lambda: pg.trapezoid(X) * 2),
        (lambda: pg.gradient(X, spacing=None)[0], lambda: pg.gradient(X)[0]),
        (lambda: pg.cholesky_solve(input=X, input2=X), lambda: pg.cholesky_solve(X, X)),
        (lambda: pg.orgqr(X, pg.ones(2)), lambda: pg.linalg.householder_product(X, pg.ones(2))),
        (lambda: pg.linalg.norm(input=X), lambda: X.norm()),
    ],
)
def test_arguments_go_by_their_names(named: Callable[[], Any], plain: Callable[[], Any]) -> None:
    assert pg.equal(named(), plain())


def test_random_numbers_go_between_named_bounds() -> None:
    assert (pg.empty(50).uniform_(to=0.5) < 0.5).all()
    drawn = pg.empty(50).random_(2, to=4)
    assert ((drawn == 2) | (drawn == 3)).all()
    assert (pg.empty(50).random_(to=2) < 2).all()


def test_random_slopes_come_from_the_generator_that_is_given() -> None:
    drawn = [
        F.rrelu(-X, training=True, generator=pg.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert pg.equal(drawn[0], drawn[1])
    assert not pg.equal(drawn[0], drawn[2])


def test_lazy_normalization_goes_without_a_bias() -> None:
    layer = nn.LazyBatchNorm1d(bias=False)
    layer(X)
    assert layer.bias is None
    assert layer.weight.shape == (2,)


@pytest.mark.parametrize("given", [{}, {"sections": 2, "indices": [1]}])
def test_pieces_are_asked_for_in_one_way(given: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="a number of pieces, or the places to cut at"):
        pg.hsplit(X, **given)


# dtypes -------------------------------------------------------------------------------------------


def test_extremes_of_bools_are_found() -> None:
    x = pg.tensor([[False, True], [False, False]])
    values, indices = x.max(1)
    assert (values.tolist(), indices.tolist()) == ([True, False], [1, 0])
    assert x.min(0).values.tolist() == [False, False]
    assert pg.tensor(True).max(0).values.item() is True


def test_integers_become_floats_where_logarithms_are_taken() -> None:
    x = pg.tensor([1, 2, 3])
    assert pg.equal(pg.logsumexp(x, 0), pg.logsumexp(x.float(), 0))


def test_a_sum_has_the_dtype_asked_for() -> None:
    assert pg.sum(pg.tensor([200, 100], dtype=pg.uint8), dtype=pg.uint8).tolist() == 44


def test_bounds_of_integers_are_their_whole_parts() -> None:
    found = F.hardtanh(pg.tensor([-3, 1, 9]), -1.5, 2.5)
    assert (found.dtype, found.tolist()) == (pg.int64, [-1, 1, 2])
    assert F.relu6(pg.tensor([9], dtype=pg.uint8)).tolist() == [6]


def test_squares_of_halves_do_not_overflow() -> None:
    found = F.rms_norm(pg.full((2,), 1000.0).half(), (2,))
    assert found.tolist() == [1.0, 1.0]


def test_cosines_are_of_the_vectors_after_broadcasting() -> None:
    ones = pg.ones(1, 1)
    assert F.cosine_similarity(ones, X, dim=1)[0].item() == pytest.approx(3 / 10**0.5)


def test_a_swapped_table_is_taken_with_a_warning() -> None:
    index = pg.tensor([[0, 1]])
    with pytest.warns(UserWarning, match="pass input, then weight"):
        assert pg.equal(F.embedding_bag(X, index), F.embedding_bag(index, X))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: pg.where(X, X, X), DtypeError, "condition: expected bools"),
        (lambda: pg.isclose(X, X.double()), DtypeError, "other"),
        (lambda: pg.isclose(X, X, atol=-1), ArgumentError, "atol: expected 0 or more"),
        (lambda: pg.addcdiv(X, X.int(), X.int()), DtypeError, "a float or complex dtype"),
        (lambda: X.float_power_(2), DtypeError, "float64 or complex128"),
        (lambda: pg.cdist(X.cfloat(), X.cfloat()), DtypeError, "a float dtype"),
        (lambda: F.pdist(X.int()), DtypeError, "a float dtype"),
        (lambda: F.cosine_similarity(X.cfloat(), X), DtypeError, "real numbers"),
        (lambda: F.hardtanh(X, 1, 0), ArgumentError, "min_val"),
        (lambda: F.hardtanh(X.bool()), DtypeError, "floats or integers"),
        (lambda: F.hardtanh(X.to(pg.uint8)), DtypeError, "with signs"),
        (lambda: F.softshrink(X, -1), ArgumentError, "lambd"),
        (lambda: F.prelu(X, X), ShapeError, "no axis, or one"),
        (lambda: F.tanhshrink(X.bool()), DtypeError, "numbers"),
        (lambda: F.gaussian_nll_loss(X.int(), X.int(), X), DtypeError, "a float dtype"),
        (lambda: X.bool().topk(1), DtypeError, "numbers"),
        (lambda: X.bool().mvlgamma(1), DtypeError, "numbers"),
        (lambda: pg.isin(X.bool(), X), DtypeError, "numbers"),
        (lambda: pg.gradient(X.bool()), DtypeError, "numbers"),
        (lambda: pg.randint_like(X, 9, dtype=pg.bool), DtypeError, "one that holds 8"),
        (lambda: pg.linspace(0, 1, 2.5), ArgumentError, "steps"),  # type: ignore[arg-type]
        (lambda: X.narrow(0, pg.tensor(0.0), 1), ArgumentError, "start"),  # type: ignore[arg-type]
        (lambda: X.normal_(X, 1), ShapeError, "mean: expected a number"),  # type: ignore[arg-type]
        (lambda: pg.linalg.vecdot(X.int(), X.int()), DtypeError, "a float or complex dtype"),
        (lambda: pg.linalg.vander(X[0].bool()), DtypeError, "numbers"),
    ],
)
def test_what_fits_no_meaning_is_refused(
    call: Callable[[], Any], error: type[PlugradError], match: str
) -> None:
    with pytest.raises(error, match=match):
        call()


# memory -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.diff(0),
        lambda x: x.repeat_interleave(1),
        lambda x: x[:1].repeat_interleave(2, 0),
        lambda x: F.pixel_shuffle(x[None], 1),
        lambda x: F.pixel_unshuffle(x[None], 1),
        lambda x: x.expand(2, 2, 2)[:, 0, 0].ravel(),
        lambda x: x.to("cpu", pg.float32, False, True),
    ],
)
def test_results_that_are_no_views_own_their_memory(
    function: Callable[[pg.Tensor], pg.Tensor],
) -> None:
    x = pg.ones(2, 2)
    found = function(x)
    found.flatten()[0] = 7.0
    assert pg.equal(x, pg.ones(2, 2))
    assert found.eq(7).sum() == 1


def test_no_positions_gather_nothing() -> None:
    index = pg.empty(2, 0, dtype=pg.int64)
    assert pg.gather(X[0], 0, index).shape == (2, 0)
