"""A stand-in for NVIDIA's cuDNN frontend: one convolution per graph, in NumPy, on the memory of the
stand-in for CuPy. With `STANDIN_CUDNN_DECLINES` in the environment it supports nothing.
"""

from __future__ import annotations

import ctypes
import os
from enum import Enum
from itertools import product
from math import prod
from typing import Any

import ml_dtypes
import numpy as np

calls: list[str] = []


class data_type(Enum):
    HALF = np.float16
    BFLOAT16 = ml_dtypes.bfloat16
    FLOAT = np.float32


class heur_mode(Enum):
    A = 0
    FALLBACK = 1


class cudnnGraphNotSupportedError(RuntimeError):
    """No engine takes the graph."""


def backend_version() -> int:
    return 0


def create_handle() -> object:
    return object()


def set_stream(handle: object, stream: int) -> None:
    assert stream, "the legacy default stream"


class Tensor:
    dim: list[int]
    stride: list[int]
    kind: data_type

    def set_output(self, output: bool) -> Tensor:
        return self

    def set_data_type(self, kind: data_type) -> Tensor:
        self.kind = kind
        return self

    def set_dim(self, dim: list[int]) -> Tensor:
        self.dim = dim
        return self

    def set_stride(self, stride: list[int]) -> Tensor:
        self.stride = stride
        return self

    def at(self, address: int) -> np.ndarray[Any, Any]:
        dtype = np.dtype(self.kind.value)
        assert self.stride[-1] == 1, "not in C order"
        raw = (ctypes.c_uint8 * (prod(self.dim) * dtype.itemsize)).from_address(address)
        return np.ndarray(self.dim, dtype, raw, 0, [step * dtype.itemsize for step in self.stride])


class pygraph:
    def __init__(
        self,
        *,
        handle: object,
        io_data_type: data_type,
        intermediate_data_type: data_type,
        compute_data_type: data_type,
    ) -> None:
        assert intermediate_data_type is compute_data_type is data_type.FLOAT
        self._built = False

    def tensor(self, *, dim: list[int], stride: list[int], data_type: data_type) -> Tensor:
        return Tensor().set_dim(dim).set_stride(stride).set_data_type(data_type)

    def _node(self, name: str, first: Tensor, second: Tensor, geometry: dict[str, Any]) -> Tensor:
        assert len(first.dim) == len(second.dim) in (4, 5)
        assert all(len(values) == len(first.dim) - 2 for values in geometry.values())
        self._name, self._operands, self._geometry = name, (first, second), geometry
        self._result = Tensor()
        return self._result

    def conv_fprop(self, *, image: Tensor, weight: Tensor, **geometry: Any) -> Tensor:
        return self._node("fprop", image, weight, geometry)

    def conv_dgrad(self, *, loss: Tensor, filter: Tensor, **geometry: Any) -> Tensor:
        return self._node("dgrad", loss, filter, geometry)

    def conv_wgrad(self, *, image: Tensor, loss: Tensor, **geometry: Any) -> Tensor:
        return self._node("wgrad", image, loss, geometry)

    def validate(self) -> None:
        pass

    def build_operation_graph(self) -> None:
        pass

    def create_execution_plans(self, heuristics: list[heur_mode]) -> None:
        pass

    def check_support(self) -> None:
        if os.environ.get("STANDIN_CUDNN_DECLINES"):
            raise cudnnGraphNotSupportedError("no engine")

    def build_plans(self) -> None:
        self._built = True

    def get_workspace_size(self) -> int:
        return 64

    def execute(self, tensors: dict[Tensor, int], workspace: int, handle: object) -> None:
        assert self._built
        assert workspace
        calls.append(self._name)
        seen = {tensor: tensor.at(address) for tensor, address in tensors.items()}
        first, second = (seen[each].astype(np.float32) for each in self._operands)
        out = np.zeros(self._result.dim, np.float32)
        roles = {
            "fprop": (first, second, out),
            "dgrad": (out, second, first),
            "wgrad": (first, out, second),
        }
        _convolve(self._name, *roles[self._name], **self._geometry)
        seen[self._result][...] = out.astype(seen[self._result].dtype)


def _convolve(name: str, x: Any, w: Any, y: Any, padding: Any, stride: Any, dilation: Any) -> None:
    """Fill in that of the three which is all zeros."""
    margins = [(0, 0), (0, 0), *[(p, p) for p in padding]]
    padded = np.pad(x, margins)
    groups = x.shape[1] // w.shape[1]
    inner = tuple(slice(p, p + n) for p, n in zip(padding, x.shape[2:], strict=True))
    for group in range(groups):
        channels = slice(group * w.shape[1], (group + 1) * w.shape[1])
        count = w.shape[0] // groups
        filters = slice(group * count, (group + 1) * count)
        for tap in product(*map(range, w.shape[2:])):
            at = tuple(
                slice(t * d, t * d + (n - 1) * s + 1, s)
                for t, d, n, s in zip(tap, dilation, y.shape[2:], stride, strict=True)
            )
            looked = (slice(None), channels, *at)
            here = (filters, slice(None), *tap)
            if name == "fprop":
                y[:, filters] += np.einsum("nc...,oc->no...", padded[looked], w[here])
            elif name == "dgrad":
                padded[looked] += np.einsum("no...,oc->nc...", y[:, filters], w[here])
            else:
                seen = padded[looked].reshape(len(x), w.shape[1], -1)
                w[here] += np.einsum("ncp,nop->oc", seen, y[:, filters].reshape(len(x), count, -1))
    if name == "dgrad":
        x[...] = padded[(slice(None), slice(None), *inner)]
