"""`weight_norm` and `spectral_norm` in their first form: hooks that compute the weight before each
call. What it is computed from stands in its place among the parameters. `parametrizations` has both
in the present form.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from plugrad.errors import ArgumentError
from plugrad.functions.linalg import mv
from plugrad.nn import functional as F
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.nn.utils.parametrizations import as_matrix, dim_of, norm_except
from plugrad.random import randn
from plugrad.tape import no_grad
from plugrad.tensor import Tensor

M = TypeVar("M", bound=Module)


class _Rule(Protocol):
    name: str

    def compute(self, module: Any, *, call: bool) -> Tensor: ...


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Length `<name>_g` and direction `<name>_v` learnt apart (T. Salimans, D. P. Kingma, arXiv
    1602.07868): one length for each slice of axis `dim`, or with None for all.
    """
    weight = _taken("weight_norm", module, name)
    module.register_parameter(f"{name}_g", Parameter(norm_except(weight.detach(), dim)))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    return _hooked(module, _WeightNorm(name, dim))


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Make the weight a parameter again, as it is."""
    return _freed("remove_weight_norm", module, name, _WeightNorm, (f"{name}_g", f"{name}_v"))


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """The weight `<name>_orig` over its largest singular value (T. Miyato et al., arXiv
    1802.05957), as a matrix whose rows are the slices of axis `dim`: 0, or 1 of a transposed
    convolution.

    Each call in training makes so many power iterations on the singular vectors, the buffers
    `<name>_u` and `<name>_v`.
    """
    if n_power_iterations < 1:
        raise ArgumentError(
            "spectral_norm", "n_power_iterations", expected="at least 1", got=n_power_iterations
        )
    weight = _taken("spectral_norm", module, name)
    axis = dim_of(module) if dim is None else dim
    module.register_parameter(f"{name}_orig", weight)
    for ending, size in zip("uv", as_matrix(weight.detach(), axis).shape, strict=True):
        start = randn(size, dtype=weight.dtype, device=weight.device)
        module.register_buffer(f"{name}_{ending}", F.normalize(start, dim=0, eps=eps))
    return _hooked(module, _SpectralNorm(name, n_power_iterations, axis, eps))


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Make the weight a parameter again, as it is."""
    parts = (f"{name}_orig", f"{name}_u", f"{name}_v")
    return _freed("remove_spectral_norm", module, name, _SpectralNorm, parts)


class _WeightNorm:
    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = dim

    def compute(self, module: Any, *, call: bool) -> Tensor:
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / norm_except(v, self.dim))


class _SpectralNorm:
    def __init__(self, name: str, times: int, dim: int, eps: float) -> None:
        self.name = name
        self.times = times
        self.dim = dim
        self.eps = eps

    def compute(self, module: Any, *, call: bool) -> Tensor:
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = as_matrix(weight, self.dim)
        if call and module.training:
            with no_grad():
                for _ in range(self.times):
                    v.copy_(F.normalize(mv(matrix.t(), u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(mv(matrix, v), dim=0, eps=self.eps))
        # Copies: the next call writes to the buffers.
        return weight / (u.clone() * mv(matrix, v.clone())).sum()


class _Hook:
    """Computes the weight before a call."""

    def __init__(self, rule: _Rule) -> None:
        self.rule = rule

    def __call__(self, module: Any, arguments: Any) -> None:
        setattr(module, self.rule.name, self.rule.compute(module, call=True))


def _taken(operator: str, module: Module, name: str) -> Parameter:
    """The parameter, taken out of the module."""
    for hook, _ in module._forward_pre_hooks.values():
        if isinstance(hook, _Hook) and hook.rule.name == name:
            raise ArgumentError(
                operator, "name", expected="a parameter that is not computed yet", got=repr(name)
            )
    weight = module._parameters.get(name)
    if weight is None:
        raise ArgumentError(operator, "name", expected="a parameter's", got=repr(name))
    delattr(module, name)
    return weight


def _hooked(module: M, rule: _Rule) -> M:
    with no_grad():
        setattr(module, rule.name, rule.compute(module, call=False))
    module.register_forward_pre_hook(_Hook(rule))
    return module


def _freed(operator: str, module: M, name: str, kind: type[Any], parts: tuple[str, ...]) -> M:
    for key, (hook, _) in list(module._forward_pre_hooks.items()):
        if isinstance(hook, _Hook) and isinstance(hook.rule, kind) and hook.rule.name == name:
            with no_grad():
                weight = hook.rule.compute(module, call=False)
            del module._forward_pre_hooks[key]
            for part in (*parts, name):
                delattr(module, part)
            module.register_parameter(name, Parameter(weight.detach()))
            return module
    raise ArgumentError(
        operator, "module", expected=f"one whose {name!r} is computed", got=type(module).__name__
    )
