"""Parametrizations by name: weights of given length, given spectral norm, or orthogonal."""

from __future__ import annotations

from plugrad.errors import ArgumentError
from plugrad.functions.linalg import mv
from plugrad.functions.reduction import norm
from plugrad.nn import functional as F
from plugrad.nn.convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from plugrad.nn.module import Module
from plugrad.nn.utils.orthogonal import orthogonal as orthogonal
from plugrad.nn.utils.parametrize import register_parametrization
from plugrad.random import randn
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Length and direction learnt apart, `g * v / norm(v)` (T. Salimans, D. P. Kingma, arXiv
    1602.07868): one length for each slice of axis `dim`, or with None for all.
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """The weight over its largest singular value (T. Miyato et al., arXiv 1802.05957), as a matrix
    whose rows are the slices of axis `dim`: 0, or 1 of a transposed convolution.

    Each time that the weight is read in training so many power iterations improve the estimate.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ArgumentError("spectral_norm", "name", expected="a parameter's", got=repr(name))
    axis = dim_of(module) if dim is None else dim
    made = _SpectralNorm(weight, n_power_iterations, axis, eps)
    return register_parametrization(module, name, made)


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        if n_power_iterations < 1:
            raise ArgumentError(
                "spectral_norm", "n_power_iterations", expected="at least 1", got=n_power_iterations
            )
        self.dim = dim % weight.ndim
        self.eps = eps
        if weight.ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight.detach(), self.dim)
            for key, size in zip(("_u", "_v"), matrix.shape, strict=True):
                start = randn(size, dtype=weight.dtype, device=weight.device)
                self.register_buffer(key, F.normalize(start, dim=0, eps=eps))
            self._iterate(matrix, 15)

    @no_grad()
    def _iterate(self, matrix: Tensor, times: int) -> None:
        for _ in range(times):
            self._u.copy_(F.normalize(mv(matrix, self._v), dim=0, eps=self.eps))
            self._v.copy_(F.normalize(mv(matrix.t(), self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        # Copies: the next iteration writes to the buffers.
        return weight / (self._u.clone() * mv(matrix, self._v.clone())).sum()

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def dim_of(module: Module) -> int:
    """The axis of a weight that stands for outputs."""
    return int(isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d))


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The slices of an axis as rows."""
    return weight.movedim(dim, 0).reshape(weight.shape[dim], -1)


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """The lengths of the slices of an axis, which stays; of the whole with None or -1."""
    if dim is None or dim == -1:
        return norm(v)
    return norm(v, 2, [axis for axis in range(v.ndim) if axis != dim % v.ndim], True)
