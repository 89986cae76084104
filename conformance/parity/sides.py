"""The two sides: where a name is on each, and PyTorch's values carried over to plugrad.

A name is PyTorch's dotted path below `torch`: `add`, `Tensor.add_`, `nn.functional.relu`.
"""

from __future__ import annotations

import importlib
import operator
from types import ModuleType
from typing import Any, Final

import ml_dtypes
import numpy as np
import torch

import plugrad

MISSING: Final = object()


def words(text: str) -> list[str]:
    """The words of a text: tables of names are easier to read without quotes."""
    return text.split()


DTYPES: dict[torch.dtype, Any] = {
    getattr(torch, name): getattr(plugrad, name)
    for name in words(
        """
    bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128
    """
    )
}


def find(root: ModuleType, name: str) -> Any:
    """What a dotted name stands for below `root`, or MISSING."""
    found: Any = root
    path = root.__name__
    for part in name.split(".") if name else []:
        path = f"{path}.{part}"
        if not hasattr(found, part):
            # A submodule is an attribute only once it has been imported.
            try:
                importlib.import_module(path)
            except ImportError:
                return MISSING
        found = getattr(found, part)
    return found


def function_of(root: ModuleType, name: str) -> Any:
    """What to call for a name: itself, or for a property what reads it. MISSING if it is absent."""
    found = find(root, name)
    if found is MISSING or callable(found):
        return found
    return operator.attrgetter(name.rpartition(".")[2])


def torch_has(name: str) -> bool:
    """Whether PyTorch has a name."""
    return find(torch, name) is not MISSING


def plugrad_has(name: str) -> bool:
    """Whether plugrad has a name of PyTorch's."""
    return find(plugrad, name) is not MISSING


def array_of(tensor: Any) -> np.ndarray[Any, Any]:
    """The elements of either side's tensor; bfloat16 widened, so that NumPy can reckon with it."""
    if isinstance(tensor, torch.Tensor):
        tensor = tensor.detach().resolve_conj().resolve_neg()
        if tensor.dtype is torch.bfloat16:
            tensor = tensor.float()
        return tensor.numpy(force=True)
    array = tensor.detach().numpy()
    return array.astype(np.float32) if array.dtype == ml_dtypes.bfloat16 else array


def storage_of(tensor: Any) -> Any:
    """What tells whether two tensors of one side share memory; None where there is none."""
    if isinstance(tensor, torch.Tensor):
        return tensor.untyped_storage().data_ptr() or None
    buffer = tensor.untyped_storage().buffer
    return None if not tensor.numel() else id(buffer)


class Carrier:
    """Carries the arguments of one call over; a tensor met twice is the same one on both sides."""

    def __init__(self) -> None:
        self.pairs: list[tuple[torch.Tensor, Any]] = []
        self._flat: dict[int, tuple[torch.Tensor, Any]] = {}

    def __call__(self, value: Any) -> tuple[Any, Any]:
        """A private copy of the value for PyTorch, and plugrad's."""
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, torch.dtype):
            return value, DTYPES.get(value, value)
        if isinstance(value, torch.device):
            return value, plugrad.device(str(value))
        if isinstance(value, torch.Size):
            return value, tuple(value)
        if isinstance(value, torch.memory_format | torch.layout):
            name = str(value).removeprefix("torch.")
            return value, getattr(plugrad, name, value)
        if isinstance(value, torch.Generator):
            return value, plugrad.Generator()
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            parts = [self(each) for each in value]
            return type(value)(*[p[0] for p in parts]), tuple([p[1] for p in parts])
        if isinstance(value, list | tuple):
            parts = [self(each) for each in value]
            return type(value)([p[0] for p in parts]), type(value)([p[1] for p in parts])
        if isinstance(value, dict):
            parts = {key: self(each) for key, each in value.items()}
            return {k: p[0] for k, p in parts.items()}, {k: p[1] for k, p in parts.items()}
        if isinstance(value, slice):
            parts = [self(each) for each in (value.start, value.stop, value.step)]
            return slice(*[p[0] for p in parts]), slice(*[p[1] for p in parts])
        if isinstance(value, torch.nn.Module):
            raise NotCarriedError(type(value).__name__)
        if callable(value):
            return value, self._function(value)
        return value, value

    def _function(self, value: Any) -> Any:
        """plugrad's function of the same name, if it is one of PyTorch's."""
        name = getattr(value, "__name__", "")
        for place in ("nn.functional", ""):
            path = f"{place}.{name}".strip(".")
            if name and find(torch, path) is value and plugrad_has(path):
                return find(plugrad, path)
        return value

    def _tensor(self, value: torch.Tensor) -> tuple[torch.Tensor, Any]:
        if id(value) in self._flat:
            return self._flat[id(value)]
        dense = value.layout is torch.strided and value.device.type == "cpu"
        if not dense or value.dtype not in DTYPES:
            raise NotCarriedError(f"{value.layout} {value.device} {value.dtype}")
        plain = value.detach().resolve_conj().resolve_neg()
        shape, strides = tuple(plain.shape), plain.stride()
        extent = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        if not plain.numel():
            extent = 0
        flat = torch.as_strided(plain, (extent,), (1,)).clone()
        theirs = torch.as_strided(flat, shape, strides)
        ours: Any = tensor_from(flat)
        if strides == torch.empty(shape, device="meta").stride():
            ours = ours.reshape(shape)
        else:
            ours = plugrad.as_strided(ours, shape, strides)
        theirs, ours = theirs.detach(), ours.detach()
        if value.requires_grad:
            theirs.requires_grad_()
            ours.requires_grad_()
        self.pairs.append((theirs, ours))
        self._flat[id(value)] = theirs, ours
        return theirs, ours


class NotCarriedError(Exception):
    """A value that plugrad has no counterpart of: sparse, quantised, of a dtype beyond its own."""


def tensor_from(value: torch.Tensor) -> Any:
    """A contiguous tensor of plugrad's with the same elements."""
    value = value.detach().contiguous()
    if value.dtype is torch.bfloat16:
        return plugrad.from_numpy(value.view(torch.int16).numpy().copy().view(ml_dtypes.bfloat16))
    return plugrad.from_numpy(value.numpy().copy())
