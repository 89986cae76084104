"""Signs, exponents, neighbours and divisors of numbers: lines as in `elementwise.py`."""

from __future__ import annotations

from plugrad_cupy.pointwise import Family

numbers = Family()
signbit = numbers("signbit(x)", "has_minus(x)", "bool int float", result="bool")
binary_exponent = numbers("binary_exponent(x)", "exponent_of(x)", "float")
nextafter = numbers("nextafter(x, y)", "neighbour<T>(x, y)", "float")
gcd = numbers("gcd(x, y)", "common_divisor(x, y)", "int")
