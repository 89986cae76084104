"""einsum and tensordot against NumPy, with derivatives and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, PlugradError, ShapeError

from .helpers import check_gradients


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


EQUATIONS = [
    ("ij,jk->ik", (3, 4), (4, 5)),
    ("ij,jk", (3, 4), (4, 5)),
    ("Ab,bA", (2, 3), (3, 2)),
    ("ii", (4, 4)),
    ("ii->i", (4, 4)),
    ("iji->j", (3, 2, 3)),
    ("ij->ji", (3, 4)),
    ("ij -> ", (3, 4)),
    ("i,j->ij", (3,), (4,)),
    ("bi,bi->b", (3, 4), (3, 4)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
    ("i...->...", (3, 4, 5)),
    ("a...b,b...->a...", (2, 5, 3), (3, 5)),
    ("bhid,bhjd->bhij", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("bn,anm,bm->ba", (2, 5), (3, 5, 4), (2, 4)),
    ("ij,jk,kl,lm->im", (3, 4), (4, 5), (5, 2), (2, 3)),
    ("ij,k->k", (2, 3), (4,)),
    (",->", (), ()),
    ("ij,jk->ik", (3, 0), (0, 5)),
]


@pytest.mark.parametrize(("equation", "shapes"), [(each[0], each[1:]) for each in EQUATIONS])
def test_einsum_agrees_with_numpy_and_its_gradient_with_differences(
    equation: str, shapes: tuple[tuple[int, ...], ...]
) -> None:
    arrays = [values(*shape, seed=i) for i, shape in enumerate(shapes)]
    out = pg.einsum(equation, *[pg.tensor(each) for each in arrays])
    np.testing.assert_allclose(out.numpy(), np.einsum(equation, *arrays), atol=1e-12, strict=True)
    check_gradients(lambda *x: pg.einsum(equation, *x), *arrays, second_order=False)


def test_einsum_sums_an_axis_that_broadcasts_from_one_element() -> None:
    x, y = values(3, 1), values(4, 5)
    out = pg.einsum("ij,kj->ik", pg.tensor(x), pg.tensor(y))
    np.testing.assert_allclose(out.numpy(), np.einsum("ij,kj->ik", np.repeat(x, 5, 1), y))


def test_einsum_takes_lists_of_axes_instead_of_an_equation() -> None:
    x, y = pg.tensor(values(3, 4)), pg.tensor(values(4, 5))
    want = (x @ y).numpy()
    np.testing.assert_allclose(pg.einsum(x, [0, 1], y, [1, 2], [0, 2]).numpy(), want)
    np.testing.assert_allclose(pg.einsum(x, [..., 1], y, [1, 2]).numpy(), want)
    np.testing.assert_allclose(pg.einsum("ij,jk", [x, y]).numpy(), want)


def test_einsum_multiplies_many_operands_in_a_cheap_order() -> None:
    # From left to right the first product alone would have 10^10 elements.
    x = pg.ones(100_000)
    assert pg.einsum("i,j,j,i->", x, x, x, x).item() == pytest.approx(1e10)


@pytest.mark.parametrize(
    ("equation", "shapes", "error", "said"),
    [
        ("ij,jk", [(3, 4), (5, 6)], ShapeError, "along 'j'"),
        ("ij", [(3,)], ShapeError, "2 axes"),
        ("ij->k", [(3, 4)], ArgumentError, "in some operand"),
        ("i->ii", [(3,)], ArgumentError, "once"),
        ("ij,jk", [(3, 4)], ArgumentError, "one term for each of 1 operands"),
        ("i1", [(3, 4)], ArgumentError, "letters"),
        ("i...j...", [(3, 4)], ArgumentError, "at most one"),
        ("ii", [(3, 4)], ShapeError, "occurs twice"),
    ],
)
def test_einsum_says_what_is_wrong_with_a_call(
    equation: str, shapes: list[Any], error: type[PlugradError], said: str
) -> None:
    with pytest.raises(error, match=said):
        pg.einsum(equation, *[pg.ones(shape) for shape in shapes])


def test_einsum_refuses_lists_that_name_no_axes() -> None:
    x = pg.ones(2)
    with pytest.raises(ArgumentError, match="0 to 51"):
        pg.einsum(x, [52])
    with pytest.raises(ArgumentError, match="a list of axes"):
        pg.einsum(x, 0)


@pytest.mark.parametrize("dims", [0, 1, 2, ([1, 0], [0, 1]), ([-1], [1])])
def test_tensordot_agrees_with_numpy(dims: Any) -> None:
    shapes = {0: ((2, 3), (4,)), 1: ((2, 3), (3, 4)), 2: ((2, 3, 4), (3, 4, 5))}
    first, second = shapes.get(dims if isinstance(dims, int) else -1, ((3, 4), (4, 3)))
    if not isinstance(dims, int) and len(dims[0]) == 1:
        first, second = (2, 3), (4, 3)
    x, y = values(*first), values(*second, seed=1)
    out = pg.tensordot(pg.tensor(x), pg.tensor(y), dims)
    np.testing.assert_allclose(out.numpy(), np.tensordot(x, y, dims), atol=1e-12)


def test_tensordot_refuses_axes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="3 elements along axis 0"):
        pg.tensordot(pg.ones(2, 3), pg.ones(2, 3), 1)
    with pytest.raises(ArgumentError, match="from 0 to 2"):
        pg.tensordot(pg.ones(2, 3), pg.ones(2, 3), 3)
    with pytest.raises(ArgumentError, match="as many axes"):
        pg.tensordot(pg.ones(2, 3), pg.ones(2, 3), ([0], [0, 1]))
