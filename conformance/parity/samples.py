"""PyTorch's own table of operators, `op_db`: for each its names, and the calls with which PyTorch
tests it, good and bad. A new name of plugrad's is compared as soon as it is there.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, final

import numpy as np
import torch

from .calls import Call
from .tables import OPERATORS

#: How many calls an operator gets in each dtype: its gradients are compared in double precision.
#: The dtypes left out say nothing about an operator's meaning that these do not.
MOST = {
    torch.float64: 10,
    torch.complex128: 4,
    torch.float32: 3,
    torch.complex64: 1,
    torch.float16: 2,
    torch.bfloat16: 1,
    torch.int64: 3,
    torch.uint8: 2,
    torch.bool: 2,
}
MOST_BAD = 10
#: They are chosen among so many times as many: some operators have a thousand.
WITHIN = 8

#: Of no interest to users, or of what plugrad leaves out (sparse tensors, CUDA's compiler).
BEYOND = ("_", "torch.", "jiterator", "sparse.", "masked.", "to_sparse")


@final
@dataclass(frozen=True)
class Operator:
    """One of PyTorch's operators in one of its overloads."""

    info: Any

    @property
    def name(self) -> str:
        """PyTorch's name of it."""
        return self.info.name

    def __str__(self) -> str:
        variant = self.info.variant_test_name
        return f"{self.name}-{variant}" if variant else self.name

    @property
    def aliases(self) -> list[str]:
        """Its further names."""
        return [alias.name for alias in self.info.aliases]

    def calls(self) -> Iterator[Call]:
        """Calls that PyTorch takes, in dtypes of every sort."""
        supported = self.info.supported_dtypes("cpu")
        for dtype, most in MOST.items():
            if dtype in supported:
                yield from self._samples(dtype, most, gradients=True)

    def few_calls(self, count: int) -> Iterator[Call]:
        """The first calls in the dtype that says most."""
        supported = self.info.supported_dtypes("cpu")
        order = (torch.float32, torch.complex64, torch.int64, torch.bool)
        dtype = next((each for each in order if each in supported), None)
        if dtype is not None:
            yield from self._samples(dtype, count, gradients=False)

    def _samples(self, dtype: torch.dtype, most: int, *, gradients: bool) -> Iterator[Call]:
        inexact = dtype.is_floating_point or dtype.is_complex
        differentiable = gradients and inexact and self.info.supports_autograd
        wide = dtype in (torch.float64, torch.complex128)
        seed()
        # Not `sample_inputs`, which walks the stack and seeds for each: that takes long.
        found = self.info.sample_inputs_func(self.info, "cpu", dtype, differentiable and wide)
        samples = list(islice(found, WITHIN * most))
        name = str(dtype).removeprefix("torch.")
        for i in spread(len(samples), most):
            yield _call(f"sample{i}-{name}", samples[i])

    def bad_calls(self) -> Iterator[Call]:
        """Calls that PyTorch's tests expect it to refuse."""
        if self.info.error_inputs_func is None:
            return
        seed()
        errors = list(self.info.error_inputs_func(self.info, "cpu"))
        for i in spread(len(errors), MOST_BAD):
            yield _call(f"error{i}", errors[i].sample_input)

    def calls_in_wrong_dtypes(self) -> Iterator[Call]:
        """A call in each of a few dtypes that PyTorch's kernels refuse."""
        supported = self.info.supported_dtypes("cpu")
        for dtype in (torch.bool, torch.int64, torch.float32, torch.complex64):
            if supported and dtype not in supported:
                seed()
                try:
                    found = self.info.sample_inputs_func(self.info, "cpu", dtype, False)
                    samples = list(islice(found, 1))
                except (RuntimeError, ValueError):  # the sample cannot even be drawn in this dtype
                    continue
                for sample in samples:
                    yield _call(f"wrong-{str(dtype).removeprefix('torch.')}", sample)


def _call(name: str, sample: Any) -> Call:
    return Call(name, (sample.input, *sample.args), dict(sample.kwargs))


def spread(count: int, most: int) -> list[int]:
    """Up to `most` of the numbers below `count`, the first among them, at even distances."""
    return sorted({i * count // most for i in range(most)} if count > most else range(count))


def seed() -> None:
    """The same samples at every run, whatever ran before."""
    torch.default_generator.manual_seed(0)  # without telling every accelerator
    np.random.seed(0)
    random.seed(0)


def operators() -> list[Operator]:
    """All that users call."""
    return [
        Operator(info)
        for info in OPERATORS
        if not info.name.startswith(BEYOND) or info.name.startswith("__")
    ]
