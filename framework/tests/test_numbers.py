"""Functions that look at how a number is made."""

from __future__ import annotations

import math

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import DtypeError

INF, NAN = math.inf, math.nan
ODD = (NAN, INF, -INF, 0.0, -0.0, 1.5, -2.0, 5e-324, 1e300)


def double(*numbers: float) -> pg.Tensor:
    return pg.tensor(numbers, dtype=pg.float64)


def test_mantissa_and_exponent_are_numpys() -> None:
    mantissa, exponent = pg.frexp(double(*ODD))
    wanted = np.frexp(np.array(ODD))
    np.testing.assert_array_equal(mantissa.numpy(), wanted[0])
    np.testing.assert_array_equal(exponent.numpy()[3:], wanted[1][3:])
    assert exponent.dtype is pg.int32
    np.testing.assert_array_equal(pg.ldexp(mantissa, exponent).numpy()[:-2], ODD[:-2])


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16, pg.float32])
def test_mantissa_is_exact_in_every_dtype(dtype: pg.dtype) -> None:
    x = pg.tensor([0.1, -3.0, 65504.0, 6e-8]).to(dtype)
    mantissa, exponent = pg.frexp(x)
    wanted = np.frexp(x.double().numpy())
    assert (mantissa.double().tolist(), exponent.tolist()) == tuple(w.tolist() for w in wanted)


def test_slope_of_the_mantissa_is_a_power_of_two() -> None:
    x = double(3.0, 0.25).requires_grad_()
    pg.frexp(x).mantissa.sum().backward()
    assert x.grad.tolist() == [0.25, 2.0]


def test_sign_is_copied_even_from_a_zero_and_onto_a_whole_number() -> None:
    assert pg.copysign(double(3.0, -3.0), double(-0.0, 0.0)).tolist() == [-3.0, 3.0]
    assert pg.copysign(pg.tensor([3]), -1).dtype is pg.float32
    assert pg.copysign(pg.tensor([3.0]), double(-1.0)).dtype is pg.float64
    assert pg.signbit(double(-0.0, 0.0, -INF)).tolist() == [True, False, True]


def test_next_number_is_numpys_in_every_floating_dtype() -> None:
    for dtype in (pg.float16, pg.float32, pg.float64):
        x = pg.tensor([1.0, -1.0, 0.0, 2.0]).to(dtype)
        y = pg.tensor([2.0, 0.0, -1.0, 2.0]).to(dtype)
        found = pg.nextafter(x, y).numpy()
        np.testing.assert_array_equal(found, np.nextafter(x.numpy(), y.numpy()))
    assert pg.nextafter(pg.tensor(1.0).bfloat16(), pg.tensor(2.0).bfloat16()).item() == 1 + 2**-7


def test_divisors_and_multiples_are_numpys() -> None:
    x, y = np.array([12, -12, 0, 7, 0]), np.array([18, 18, 5, 0, 0])
    assert pg.gcd(pg.tensor(x), pg.tensor(y)).tolist() == np.gcd(x, y).tolist()
    assert pg.lcm(pg.tensor(x), pg.tensor(y)).tolist() == np.lcm(x, y).tolist()


def test_step_takes_its_value_at_zero_from_the_second_operand() -> None:
    found = pg.heaviside(double(-1.0, 0.0, 2.0, NAN), double(7.0, 7.0, 7.0, 7.0))
    assert found.tolist() == [0.0, 7.0, 1.0, 0.0]
    with pytest.raises(DtypeError, match="heaviside"):
        pg.heaviside(pg.ones(2), double(1.0, 1.0))


def test_what_is_no_number_is_replaced() -> None:
    limits = pg.finfo(pg.float64)
    assert pg.nan_to_num(double(NAN, INF, -INF, 1.0)).tolist() == [0, limits.max, limits.min, 1]
    assert pg.nan_to_num(double(NAN, INF, -INF), 1.0, 2.0, 3.0).tolist() == [1, 2, 3]
    assert pg.nan_to_num(pg.tensor([2])).tolist() == [2]
    mixed = pg.nan_to_num(pg.tensor([complex(NAN, 1.0)]))
    assert mixed.tolist() == [1j]
    x = double(NAN, 2.0).requires_grad_()
    pg.nan_to_num(x).sum().backward()
    assert x.grad.tolist() == [0, 1]


def test_a_number_wins_over_nan() -> None:
    x, y = double(NAN, 1.0, 3.0, NAN), double(2.0, NAN, 2.0, NAN)
    np.testing.assert_array_equal(pg.fmax(x, y).numpy(), [2, 1, 3, NAN])
    np.testing.assert_array_equal(pg.fmin(x, y).numpy(), [2, 1, 2, NAN])


def test_infinities_are_told_apart_by_sign() -> None:
    x = double(*ODD)
    assert pg.isposinf(x).tolist() == [each == INF for each in ODD]
    assert pg.isneginf(x).tolist() == [each == -INF for each in ODD]
    assert pg.isreal(x).all()
    assert pg.isreal(pg.tensor([1 + 0j, 1j])).tolist() == [True, False]
    with pytest.raises(DtypeError, match="isposinf"):
        pg.isposinf(pg.tensor([1j]))


def test_fraction_and_decimals() -> None:
    np.testing.assert_allclose(pg.frac(double(2.25, -2.25)).numpy(), [0.25, -0.25])
    assert pg.round(double(2.345, -0.125), decimals=2).tolist() == [2.35, -0.12]
    assert pg.round(double(1250.0, 1350.0), decimals=-2).tolist() == [1200.0, 1400.0]
    with pytest.raises(DtypeError, match="round"):
        pg.round(pg.tensor([5]), decimals=1)
    with pytest.raises(DtypeError, match="frac"):
        pg.frac(pg.tensor([5]))


def test_complex_numbers_are_made_of_parts_or_of_size_and_angle() -> None:
    real, imag = double(1.0, 2.0).requires_grad_(), double(3.0, 4.0)
    made = pg.complex(real, imag)
    assert made.tolist() == [1 + 3j, 2 + 4j]
    made.abs().sum().backward()
    np.testing.assert_allclose(real.grad.numpy(), [1 / math.sqrt(10), 2 / math.sqrt(20)])
    np.testing.assert_allclose(pg.polar(double(2.0), double(math.pi / 2)).numpy(), [2j], atol=1e-15)
    with pytest.raises(DtypeError, match="imag"):
        pg.complex(pg.ones(2), imag)
    with pytest.raises(DtypeError, match="polar"):
        pg.polar(pg.tensor([1]), pg.tensor([1]))


def test_angles_change_their_unit() -> None:
    assert pg.deg2rad(double(180.0)).item() == math.pi
    assert pg.rad2deg(double(math.pi)).item() == 180


def test_two_dtypes_meet_as_in_arithmetic() -> None:
    assert pg.result_type(pg.ones(2), 1) is pg.float32
    assert pg.result_type(pg.tensor([1]), 1.5) is pg.float32
    assert pg.result_type(pg.tensor([1]), double(1.0)) is pg.float64
