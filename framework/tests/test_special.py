"""Special functions: tabulated values, identities, derivatives, edges and errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad import special
from plugrad.errors import ArgumentError, DtypeError

from .helpers import check_gradients

INF, NAN = math.inf, math.nan


def double(*numbers: float) -> pg.Tensor:
    return pg.tensor(numbers, dtype=pg.float64)


# Abramowitz and Stegun's tables, and closed forms.
VALUES: list[tuple[str, tuple[float, ...], float]] = [
    ("gammaln", (10.0,), math.log(362880)),
    ("gammaln", (0.5,), math.log(math.pi) / 2),
    ("gammaln", (-0.5,), math.log(2 * math.sqrt(math.pi))),
    ("digamma", (1.0,), -0.57721566490153286),
    ("digamma", (0.5,), -0.57721566490153286 - 2 * math.log(2)),
    ("digamma", (-1.5,), 0.70315664064524319),
    ("zeta", (2.0, 1.0), math.pi**2 / 6),
    ("zeta", (4.0, 1.0), math.pi**4 / 90),
    ("zeta", (3.0, 0.5), 7 * 1.2020569031595942),
    ("erfinv", (0.5,), 0.47693627620446987),
    ("erfinv", (-1e-12,), -1e-12 * math.sqrt(math.pi) / 2),
    ("ndtri", (0.975,), 1.9599639845400545),
    ("ndtri", (1e-20,), -9.262340089798408),
    ("erfcx", (30.0,), 0.018795888861416751),
    ("erfcx", (-1.0,), math.e * (1 + math.erf(1))),
    ("log_ndtr", (-40.0,), -804.6084420137538),
    ("ndtr", (1.0,), 0.8413447460685429),
    ("entr", (0.5,), math.log(2) / 2),
    ("i0", (1.0,), 1.2660658777520082),
    ("i1", (1.0,), 0.5651591039924851),
    ("i0e", (20.0,), 0.0897803118848),
    ("i1e", (-20.0,), -0.0875062221833),
    ("modified_bessel_k0", (1.0,), 0.42102443824070834),
    ("modified_bessel_k1", (1.0,), 0.60190723019723458),
    ("bessel_j0", (2.0,), 0.22389077914123567),
    ("bessel_j0", (10.0,), -0.24593576445134834),
    ("bessel_j1", (-10.0,), -0.04347274616886144),
    ("bessel_y0", (10.0,), 0.05567116728359939),
    ("bessel_y1", (10.0,), 0.24901542420695388),
    ("bessel_y1", (0.5,), -1.4714723926702430),
    ("airy_ai", (0.0,), 0.355028053887817239),
    ("airy_ai", (3.0,), 0.006591139357460719),
    ("airy_ai", (-6.0,), -0.32914517362982311),
    ("spherical_bessel_j0", (2.0,), math.sin(2) / 2),
    ("xlog1py", (2.0, 0.5), 2 * math.log(1.5)),
    ("gammainc", (0.5, 2.25), math.erf(1.5)),
    ("gammaincc", (1.0, 30.0), math.exp(-30)),
    ("gammaincc", (1e30, 1e30), 0.5),
    ("gammainc", (2e6, 1.9e6), 0.0),
    ("gammainc", (1e-3, 1e-30), 0.933792377658673),
    ("sinc", (0.25,), math.sin(math.pi / 4) * 4 / math.pi),
    ("logit", (0.75,), math.log(3)),
]


@pytest.mark.parametrize(("name", "arguments", "value"), VALUES)
def test_function_has_the_tabulated_value(
    name: str, arguments: tuple[float, ...], value: float
) -> None:
    given = [double(each) for each in arguments]
    assert getattr(special, name)(*given).item() == pytest.approx(value, rel=2e-12, abs=1e-20)


EDGES: list[tuple[str, tuple[float, ...], tuple[float, ...]]] = [
    ("gammaln", (0.0, -3.0, INF, -INF, NAN), (INF, INF, INF, INF, NAN)),
    ("digamma", (0.0, -0.0, -2.0, INF), (-INF, INF, NAN, INF)),
    ("erfinv", (-1.0, 1.0, 0.0, 1.5), (-INF, INF, 0.0, NAN)),
    ("ndtri", (0.0, 1.0, 0.5, 2.0), (-INF, INF, 0.0, NAN)),
    ("erfcx", (-INF, INF, 0.0), (INF, 0.0, 1.0)),
    ("bessel_j0", (0.0, INF, -INF), (1.0, 0.0, 0.0)),
    ("bessel_y0", (0.0, -1.0, INF), (-INF, NAN, 0.0)),
    ("bessel_y1", (0.0, -1.0, INF), (-INF, NAN, 0.0)),
    ("modified_bessel_k0", (0.0, -1.0, INF), (INF, NAN, 0.0)),
    ("modified_bessel_k1", (0.0, -1.0, INF), (INF, NAN, 0.0)),
    ("airy_ai", (INF, -INF, 1e4), (0.0, 0.0, 0.0)),
    ("entr", (0.0, -1.0, NAN), (0.0, -INF, NAN)),
    ("log_ndtr", (-INF, INF, 0.0), (-INF, 0.0, -math.log(2))),
    ("sinc", (0.0, 1.0), (1.0, 0.0)),
    ("spherical_bessel_j0", (0.0, INF), (1.0, 0.0)),
]


@pytest.mark.parametrize(("name", "points", "values"), EDGES)
def test_function_has_its_limit_at_the_edge(
    name: str, points: tuple[float, ...], values: tuple[float, ...]
) -> None:
    found = getattr(special, name)(double(*points)).numpy()
    np.testing.assert_allclose(found, values, atol=1e-15)


def test_incomplete_gamma_functions_have_their_edges() -> None:
    a = double(0, 0, 2, 2, INF, INF, -1, 2, NAN, 2)
    x = double(0, 2, 0, INF, 2, INF, 2, -1, 2, NAN)
    lower = [NAN, 1, 0, 1, 0, NAN, NAN, NAN, NAN, NAN]
    np.testing.assert_array_equal(special.gammainc(a, x).numpy(), lower)
    np.testing.assert_array_equal(special.gammaincc(a, x).numpy(), 1 - np.array(lower))


def test_incomplete_gamma_functions_agree_with_the_sum_for_whole_orders() -> None:
    # Q(n, x) = exp(-x) times the sum of x^k / k! over k < n
    x = np.array([0.01, 0.9, 1.1, 7.0, 25.0, 60.0])
    for n in (1, 2, 9, 25):
        wanted = sum(np.exp(-x + k * np.log(x) - math.lgamma(k + 1)) for k in range(n))
        order = double(n)
        found = special.gammaincc(order, pg.tensor(x)).numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_incomplete_gamma_functions_have_no_derivative_in_the_order() -> None:
    a, x = double(2.5).requires_grad_(), double(1.5).requires_grad_()
    special.gammaincc(a, x).backward()
    assert a.grad is None
    wanted = -(1.5**1.5) * math.exp(-1.5) / math.gamma(2.5)
    assert x.grad.item() == pytest.approx(wanted, rel=1e-12)


def test_zeta_has_a_pole_and_no_value_below_it() -> None:
    found = special.zeta(double(1.0, 0.5, 3.0, 3.0), double(2.0, 2.0, -1.0, -0.5)).numpy()
    np.testing.assert_array_equal(found, [INF, NAN, INF, NAN])


def test_product_with_a_logarithm_is_zero_where_the_factor_is() -> None:
    x, y = double(0.0, 0.0, 0.0, 2.0), double(0.0, INF, NAN, math.e)
    np.testing.assert_array_equal(special.xlogy(x, y).numpy(), [0, 0, NAN, 2])
    assert special.xlogy(2, double(math.e)).item() == 2
    assert special.xlogy(double(3.0), 1).item() == 0


@pytest.mark.parametrize("order", [0, 1, 2, 5])
def test_polygamma_is_the_derivative_of_the_one_below(order: int) -> None:
    x = double(0.7, 2.5, 11.0, -0.3, -2.6).requires_grad_()
    special.polygamma(order, x).sum().backward()
    wanted = special.polygamma(order + 1, x.detach())
    np.testing.assert_allclose(x.grad.numpy(), wanted.numpy(), rtol=1e-10)


def test_polygamma_has_poles_at_zero_and_below() -> None:
    x = double(0.0, -2.0, INF, -INF)
    np.testing.assert_array_equal(special.polygamma(1, x).numpy(), [INF, INF, 0, NAN])
    np.testing.assert_array_equal(special.polygamma(2, x).numpy(), [-INF, -INF, 0, NAN])


DERIVATIVES: list[Any] = [
    special.gammaln,
    special.digamma,
    special.erfinv,
    special.ndtri,
    special.erfcx,
    special.log_ndtr,
    special.ndtr,
    special.entr,
    special.logit,
    special.sinc,
    special.i0,
    special.i1,
    special.modified_bessel_k0,
    special.modified_bessel_k1,
    special.bessel_j0,
    special.bessel_j1,
    special.bessel_y0,
    special.bessel_y1,
    special.airy_ai,
    pg.logaddexp,
    pg.logaddexp2,
    special.xlogy,
    special.xlog1py,
    pg.hypot,
    pg.atanh,
    lambda x: special.multigammaln(x + 2, 3),
]


@pytest.mark.parametrize("function", DERIVATIVES, ids=lambda f: f.__name__)
def test_derivatives_agree_with_differences_twice_over(function: Any) -> None:
    try:
        count = function.operator.tensors
    except AttributeError:
        count = "xy" if function.__name__ in ("logaddexp2", "xlogy", "xlog1py") else "x"
    draw = np.random.default_rng(3)
    check_gradients(function, *[draw.uniform(0.2, 0.8, 3) for _ in count])


def test_second_derivative_of_logaddexp_is_right_at_a_tie() -> None:
    slope = pg.func.grad(lambda x: pg.logaddexp(x, pg.zeros(())))
    assert pg.func.grad(slope)(pg.tensor(0.0)).item() == 0.25


def test_whole_numbers_are_taken_as_floats() -> None:
    assert special.gammaln(pg.tensor([5])).dtype is pg.float32
    assert special.logit(pg.tensor([True])).dtype is pg.float32
    assert special.hermite_polynomial_h(pg.tensor([1]), 2).tolist() == [2.0]


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16, pg.float32])
def test_narrow_numbers_are_rounded_once(dtype: pg.dtype) -> None:
    x = pg.linspace(0.6, 20, 301).to(dtype)
    for function in (special.gammaln, special.digamma, special.erfcx, special.i0e):
        assert pg.equal(function(x), function(x.double()).to(dtype))


POLYNOMIALS = [
    (special.chebyshev_polynomial_t, lambda x: 4 * x**3 - 3 * x),
    (special.chebyshev_polynomial_u, lambda x: 8 * x**3 - 4 * x),
    (special.chebyshev_polynomial_v, lambda x: 8 * x**3 - 4 * x**2 - 4 * x + 1),
    (special.chebyshev_polynomial_w, lambda x: 8 * x**3 + 4 * x**2 - 4 * x - 1),
    (special.hermite_polynomial_h, lambda x: 8 * x**3 - 12 * x),
    (special.hermite_polynomial_he, lambda x: x**3 - 3 * x),
    (special.laguerre_polynomial_l, lambda x: (-(x**3) + 9 * x**2 - 18 * x + 6) / 6),
    (special.legendre_polynomial_p, lambda x: (5 * x**3 - 3 * x) / 2),
    (special.shifted_chebyshev_polynomial_t, lambda x: 4 * (2 * x - 1) ** 3 - 3 * (2 * x - 1)),
]


@pytest.mark.parametrize(("function", "cubic"), POLYNOMIALS)
def test_polynomial_of_degree_three_is_the_known_one(function: Any, cubic: Any) -> None:
    x = np.linspace(-1.5, 2, 9)
    np.testing.assert_allclose(function(pg.tensor(x), 3).numpy(), cubic(x), rtol=1e-12)
    several = function(pg.tensor(x), pg.tensor([[0], [3], [-1]])).numpy()
    np.testing.assert_allclose(several, [np.ones(9), cubic(x), np.zeros(9)], rtol=1e-12)


@pytest.mark.parametrize(
    ("function", "of_angle"),
    [
        (special.chebyshev_polynomial_t, lambda n, a: np.cos(n * a)),
        (special.chebyshev_polynomial_u, lambda n, a: np.sin((n + 1) * a) / np.sin(a)),
        (special.chebyshev_polynomial_v, lambda n, a: np.cos((n + 0.5) * a) / np.cos(a / 2)),
        (special.chebyshev_polynomial_w, lambda n, a: np.sin((n + 0.5) * a) / np.sin(a / 2)),
    ],
)
@pytest.mark.parametrize("degree", [8, 9, 1_000_000])
def test_chebyshev_polynomials_of_high_degree_are_waves(
    function: Any, of_angle: Any, degree: int
) -> None:
    x = np.array([-0.9, 0.1, 0.8])
    found = function(pg.tensor(x), degree).numpy()
    np.testing.assert_allclose(found, of_angle(degree, np.arccos(x)), atol=1e-9)


def test_a_degree_loses_its_fraction_and_one_that_is_none_gives_zero() -> None:
    degrees = double(2.9, -0.5, -1.0, NAN, INF, 1e30)
    found = special.legendre_polynomial_p(pg.tensor(2.0), degrees)
    assert found.tolist() == [5.5, 1, 0, 0, 0, 0]
    assert special.chebyshev_polynomial_t(0.5, degrees).tolist() == [-0.5, 1, 0, 0, 0, 0]
    assert special.hermite_polynomial_h(pg.ones(0, 3), pg.ones(3)).shape == (0, 3)


def test_polynomial_of_degree_zero_is_one_of_nan_too() -> None:
    x, degrees = double(NAN), double(0, 1, 2)
    np.testing.assert_array_equal(special.laguerre_polynomial_l(x, degrees), [1, NAN, NAN])


def test_shifted_polynomial_of_whole_numbers_does_not_wrap() -> None:
    x = pg.tensor([0, 1], dtype=pg.uint8)
    assert special.shifted_chebyshev_polynomial_u(x, 1).tolist() == [-2.0, 2.0]
    assert special.modified_bessel_k0(x).tolist()[0] == INF


def test_arguments_out_of_range_are_refused() -> None:
    x = pg.ones(2)
    with pytest.raises(ArgumentError, match="polygamma"):
        special.polygamma(-1, x)
    with pytest.raises(ArgumentError, match="mvlgamma"):
        special.multigammaln(x, 0)
    turning = x.to(pg.complex64)
    for function in (special.entr, special.gammaln, special.logit):
        with pytest.raises(DtypeError):
            function(turning)
    with pytest.raises(DtypeError, match="polynomial"):
        special.legendre_polynomial_p(turning, 2)
    with pytest.raises(DtypeError, match="xlogy"):
        special.xlogy(x, x.to(pg.complex64))
