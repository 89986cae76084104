"""One call made on both sides, and what becomes of it: results, gradients, what was written."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
import torch

import plugrad

from .agreement import Disagreement, compare, compare_memory, leaves
from .sides import Carrier, array_of, tensor_from


@final
@dataclass(frozen=True)
class Call:
    """Arguments, as PyTorch gets them, under a name that is unique among a row's calls."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Manner:
    """What of a call is compared.

    Without `values` all but the numbers: random or uninitialised ones. `gauge` is taken of every
    result first, on both sides, where the numbers themselves are free up to a sign or a phase.
    `slack` widens the tolerance: for what is ill-conditioned.
    """

    values: bool = True
    gradients: bool = True
    memory: bool = True
    slack: float = 1.0
    gauge: Callable[[Any], Any] | None = None


@final
@dataclass(frozen=True)
class Raised:
    """What a side raised."""

    error: Exception

    def __str__(self) -> str:
        message = str(self.error).partition("\n")[0]
        return f"{type(self.error).__name__}: {message[:160]}"


def attempt(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the function returns, or `Raised`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*args, **kwargs)
        # Whatever it is, it is an answer to compare.
        except Exception as error:
            return Raised(error)


def compare_call(theirs: Any, ours: Any, call: Call, manner: Manner) -> list[Disagreement]:
    """Where the functions differ on a call; raises NotCarriedError where plugrad has no counterpart
    of an argument.
    """
    if call.kwargs.get("dropout_p"):
        manner = replace(manner, values=False)
    carry = Carrier()
    their_args, our_args = carry(tuple(call.args))
    their_kwargs, our_kwargs = carry(call.kwargs)
    wanted = attempt(theirs, *their_args, **their_kwargs)
    got = attempt(ours, *our_args, **our_kwargs)
    return list(_compare_outcomes(wanted, got, carry, manner))


def _compare_outcomes(
    wanted: Any, got: Any, carry: Carrier, manner: Manner
) -> Iterator[Disagreement]:
    if isinstance(wanted, Raised) or isinstance(got, Raised):
        yield from compare_errors(wanted, got)
        return
    operands = [p[0] for p in carry.pairs], [p[1] for p in carry.pairs]
    if manner.gauge:
        shared = None
        wanted, got = manner.gauge(wanted), manner.gauge(got)
    else:
        shared = list(leaves(wanted)), list(leaves(got))
    found = list(compare(wanted, got, values=manner.values, slack=manner.slack))
    yield from found
    if found:
        return
    for k, (a, b) in enumerate(carry.pairs):
        yield from compare(
            a, b, values=manner.values, slack=manner.slack, where=f"operand {k} afterwards"
        )
    if shared is not None and manner.memory:
        yield from compare_memory(shared, operands)
    if manner.gradients and manner.values:
        yield from compare_gradients(
            list(leaves(wanted)), list(leaves(got)), carry.pairs, manner.slack
        )


def compare_errors(wanted: Any, got: Any) -> Iterator[Disagreement]:
    """Whether both sides refused."""
    if isinstance(wanted, Raised) and not isinstance(got, Raised):
        yield Disagreement("accepted", f"PyTorch refuses with {wanted}")
    elif isinstance(got, Raised) and not isinstance(wanted, Raised):
        yield Disagreement("refused", f"{got}")


def cotangents(outputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """Numbers of both signs for every output, the same at every call."""
    draw = np.random.default_rng(0)
    made: list[torch.Tensor] = []
    for out in outputs:
        g = torch.from_numpy(np.asarray(draw.standard_normal(tuple(out.shape)))).to(out.dtype)
        if out.dtype.is_complex:
            g = g + 1j * torch.from_numpy(np.asarray(draw.standard_normal(tuple(out.shape))))
        made.append(g.to(out.dtype))
    return made


def compare_gradients(
    wanted: list[Any], got: list[Any], pairs: list[tuple[Any, Any]], slack: float
) -> Iterator[Disagreement]:
    """Whether the same cotangents of the results give the same gradients of the leaves; an absent
    gradient and one of zeros are the same.
    """
    for i, (a, b) in enumerate(zip(wanted, got, strict=True)):
        if a.requires_grad is not bool(b.requires_grad):
            yield Disagreement("gradient", f"result {i}: expected requires_grad {a.requires_grad}")
            return
    sources = [pair for pair in pairs if pair[0].requires_grad and pair[0].is_leaf]
    recorded = [pair for pair in zip(wanted, got, strict=True) if pair[0].requires_grad]
    if not sources or not recorded:
        return
    gs = cotangents([a for a, _ in recorded])
    first = attempt(
        torch.autograd.grad,
        [a for a, _ in recorded],
        [a for a, _ in sources],
        gs,
        allow_unused=True,
    )
    if isinstance(first, Raised):
        return
    second = attempt(
        plugrad.autograd.grad,
        [b for _, b in recorded],
        [b for _, b in sources],
        [tensor_from(g) for g in gs],
        allow_unused=True,
    )
    if isinstance(second, Raised):
        yield Disagreement("gradient", f"{second}")
        return
    for k, (a, b) in enumerate(zip(first, second, strict=True)):
        if a is None or b is None:
            present = b if a is None else a
            if present is not None and np.any(array_of(present) != 0):
                yield Disagreement("gradient", f"of leaf {k}: only one side has one")
            continue
        for each in compare(a, b, slack=4 * slack, where=f"of leaf {k}"):
            yield Disagreement("gradient", each.detail)
