"""Activations: lines as in `elementwise.py`. And softmax, along lines of `lines.py`."""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_cupy import modules
from plugrad_cupy.arrays import new
from plugrad_cupy.lines import split, teams
from plugrad_cupy.modules import CTYPES
from plugrad_cupy.pointwise import Family
from plugrad_cupy.strided import contiguous

activations = Family()
relu = activations("relu(x)", "larger(x, number<Wide<T>>(0))", "int float")
relu_backward = activations("relu_backward(g, y)", "y <= 0 ? number<Wide<T>>(0) : g", "float")
silu = activations("silu(x)", "x * logistic(x)", "float")
silu_backward = activations("silu_backward(g, x)", "g * silu_slope(x)", "float")
gelu = activations("gelu(x)", "x * normal_below(x)", "float")
gelu_backward = activations(
    "gelu_backward(g, x)", "g * (normal_below(x) + x * normal_density(x))", "float"
)
gelu_tanh = activations("gelu_tanh(x)", "x * normal_below_by_tanh(x)", "float")
gelu_tanh_backward = activations("gelu_tanh_backward(g, x)", "g * gelu_tanh_slope(x)", "float")

# along an axis ------------------------------------------------------------------------------------

_SOFTMAX = "3P3q"


@kernel
def softmax(x, dim):
    return _along("softmax", x, x, dim)


@kernel
def softmax_backward(g, out, dim):
    return _along("softmax_backward", out, g, dim)


@kernel
def log_softmax(x, dim):
    return _along("log_softmax", x, x, dim)


@kernel
def log_softmax_backward(g, out, dim):
    return _along("log_softmax_backward", out, g, dim)


def _along(name, x, g, dim):
    x, g = contiguous(x), contiguous(g)
    made = new(x.shape, x.dtype, x)
    if x.size:
        outer, count, inner = split(x.shape, dim)
        run = modules.kernel("softmax.cu", name, (CTYPES[x.dtype],), _SOFTMAX)
        pointers = made.data.ptr, x.data.ptr, g.data.ptr
        run(*teams(outer * inner, count, inner == 1), *pointers, outer * inner, count, inner)
    return made
