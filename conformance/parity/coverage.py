"""Which of PyTorch's public names plugrad has, by namespace.

A name is public if it is in the namespace's `__all__` (where there is none: if it has no leading
underscore and was not imported from elsewhere) and is documented: it has a docstring, is a value or
a dtype, or is another spelling, such as the in-place one, of a function that is documented.
`scope.toml` says which of these plugrad leaves out altogether, and why: they are not counted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, final

import torch
import torch.distributions
import torch.testing
import torch.utils.checkpoint

from .sides import MISSING, find, plugrad_has

SCOPE = Path(__file__).with_name("scope.toml")

NAMESPACES = (
    "torch",
    "torch.Tensor",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn.parameter",
    "torch.nn.utils",
    "torch.nn.utils.parametrize",
    "torch.nn.utils.parametrizations",
    "torch.nn.utils.rnn",
    "torch.linalg",
    "torch.special",
    "torch.fft",
    "torch.signal.windows",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.optim.swa_utils",
    "torch.utils.data",
    "torch.utils.checkpoint",
    "torch.func",
    "torch.autograd",
    "torch.autograd.functional",
    "torch.autograd.forward_ad",
    "torch.autograd.graph",
    "torch.amp",
    "torch.cuda",
    "torch.random",
    "torch.testing",
    "torch.distributions",
)


@final
@dataclass(frozen=True)
class Beyond:
    """A group of names that plugrad leaves out, as patterns, and why."""

    title: str
    reason: str
    names: tuple[str, ...]

    def holds(self, name: str) -> bool:
        """Whether a name with its namespace is of this group."""
        return any([fnmatchcase(name, pattern) for pattern in self.names])


@cache
def beyond() -> tuple[Beyond, ...]:
    """The groups of `scope.toml`."""
    tables = tomllib.loads(SCOPE.read_text(encoding="utf-8"))["beyond"]
    return tuple([Beyond(t["title"], t["reason"], tuple(t["names"])) for t in tables])


@final
@dataclass(frozen=True)
class Coverage:
    """One namespace: what is there, what is lacking, what is beyond the project's scope."""

    namespace: str
    present: tuple[str, ...]
    lacking: tuple[str, ...]
    beyond: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the names within the scope, those that are there."""
        counted = len(self.present) + len(self.lacking)
        return len(self.present) / counted if counted else 1.0


def cover(namespace: str) -> Coverage:
    """Sort a namespace's public names."""
    present: list[str] = []
    lacking: list[str] = []
    left_out: list[str] = []
    for name in public_names(namespace):
        full = f"{namespace}.{name}"
        if plugrad_has(full.removeprefix("torch.")):
            present.append(name)
        elif any([group.holds(full) for group in beyond()]):
            left_out.append(name)
        else:
            lacking.append(name)
    return Coverage(namespace, tuple(present), tuple(lacking), tuple(left_out))


def public_names(namespace: str) -> list[str]:
    """PyTorch's public names in a namespace, sorted."""
    owner = find(torch, namespace.removeprefix("torch").removeprefix("."))
    listed = getattr(owner, "__all__", None)
    names = listed or [name for name in dir(owner) if not _is_foreign(owner, name)]
    return sorted({n for n in names if not n.startswith("_") and _is_documented(owner, n)})


def _is_foreign(owner: Any, name: str) -> bool:
    home = getattr(getattr(owner, name, None), "__module__", None)
    return isinstance(home, str) and not home.startswith("torch")


def _is_documented(owner: Any, name: str) -> bool:
    found = getattr(owner, name, MISSING)
    if found is MISSING or isinstance(found, ModuleType):
        return False
    if isinstance(found, type) and owner is not torch and found is getattr(torch, name, None):
        return False  # `torch.Tensor`, seen from elsewhere
    if not callable(found) or isinstance(found, type):
        return True
    if _has_docstring(found):
        return True
    twin = name.removesuffix("_")
    return any([_has_docstring(getattr(each, twin, None)) for each in _homes(owner)])


def _homes(owner: Any) -> Iterator[Any]:
    """Where a function's documented spelling may be."""
    yield owner
    yield torch
    yield torch.nn.functional


def _has_docstring(found: Any) -> bool:
    text = getattr(found, "__doc__", None)
    return callable(found) and isinstance(text, str) and bool(text.strip())
