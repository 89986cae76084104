"""Comparisons, logic and bits, and the choice by a mask: lines as in `elementwise.py`."""

from __future__ import annotations

from plugrad_cupy.pointwise import Family, in_place

REAL = "bool int float"
INTEGRAL = "bool int"

comparisons = Family()
eq = comparisons("eq(x, y)", "x == y", result="bool")
ne = comparisons("ne(x, y)", "x != y", result="bool")
lt = comparisons("lt(x, y)", "x < y", REAL, result="bool")
le = comparisons("le(x, y)", "x <= y", REAL, result="bool")
gt = comparisons("gt(x, y)", "x > y", REAL, result="bool")
ge = comparisons("ge(x, y)", "x >= y", REAL, result="bool")
logical_not = comparisons("logical_not(x)", "!truth(x)", result="bool")
logical_and = comparisons("logical_and(x, y)", "truth(x) && truth(y)", result="bool")
logical_or = comparisons("logical_or(x, y)", "truth(x) || truth(y)", result="bool")
logical_xor = comparisons("logical_xor(x, y)", "truth(x) != truth(y)", result="bool")
isnan = comparisons("isnan(x)", "is_nan(x)", result="bool")
isfinite = comparisons("isfinite(x)", "is_finite(x)", result="bool")
isinf = comparisons("isinf(x)", "is_infinite(x)", result="bool")
where = comparisons("where(condition, x, y)", "condition ? x : y", first="bool")

bits = Family()
bitwise_not = bits("bitwise_not(x)", "inverted(x)", INTEGRAL)
bitwise_and = bits("bitwise_and(x, y)", "x & y", INTEGRAL)
bitwise_or = bits("bitwise_or(x, y)", "x | y", INTEGRAL)
bitwise_xor = bits("bitwise_xor(x, y)", "x ^ y", INTEGRAL)
bitwise_left_shift = bits("bitwise_left_shift(x, y)", "shifted_up(x, y)", "int")
bitwise_right_shift = bits("bitwise_right_shift(x, y)", "shifted_down(x, y)", "int")

bitwise_and_ = in_place(bitwise_and)
bitwise_or_ = in_place(bitwise_or)
bitwise_xor_ = in_place(bitwise_xor)
