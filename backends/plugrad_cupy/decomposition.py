"""Factors of matrices: on the host, as `systems` says."""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_cupy.host import on_host
from plugrad_numpy import decomposition


@kernel
def cholesky(x):
    return on_host(decomposition.cholesky, x)


@kernel
def eigh(x):
    return on_host(decomposition.eigh, x)


@kernel
def eigvalsh(x):
    return on_host(decomposition.eigvalsh, x)


@kernel
def eig(x):
    return on_host(decomposition.eig, x)


@kernel
def qr(x, complete):
    return on_host(decomposition.qr, x, complete)


@kernel
def svd(x, full):
    return on_host(decomposition.svd, x, full)


@kernel
def svdvals(x):
    return on_host(decomposition.svdvals, x)
