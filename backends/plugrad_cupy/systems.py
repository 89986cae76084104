"""Systems of linear equations: on the host. A device gains little on matrices that are small or
few, and LAPACK reports failures as the frontend wants them: one number for each matrix.
"""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_cupy.host import on_host
from plugrad_numpy import systems


@kernel
def solve_triangular(a, b, upper, unitriangular):
    return on_host(systems.solve_triangular, a, b, upper, unitriangular)


@kernel
def lu_factor(x):
    return on_host(systems.lu_factor, x)


@kernel
def permutation_of_pivots(pivots, size):
    return on_host(systems.permutation_of_pivots, pivots, size)


@kernel
def solve(a, b):
    return on_host(systems.solve, a, b)


@kernel
def inv(x):
    return on_host(systems.inv, x)


@kernel
def det(x):
    return on_host(systems.det, x)


@kernel
def slogdet(x):
    return on_host(systems.slogdet, x)


@kernel
def matrix_exp(x):
    return on_host(systems.matrix_exp, x)
