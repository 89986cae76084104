"""What the steps of the algorithms share: tensors of a group side by side, options checked."""

from __future__ import annotations

from typing import Any, NamedTuple

from plugrad.errors import ArgumentError
from plugrad.ops.views import view_as_real
from plugrad.optim.optimizer import Closure, Group, Optimizer
from plugrad.tape import enable_grad, no_grad
from plugrad.tensor import Tensor
from plugrad.value import Value

State = dict[str, Any]


class Batch(NamedTuple):
    """The parameters of a group that have gradients, side by side; complex ones as their real
    views.
    """

    owners: list[Tensor]
    params: tuple[Any, ...]
    grads: tuple[Any, ...]
    states: list[State]


def batch_of(optimizer: Optimizer, group: Group, *, dense: bool = False) -> Batch | None:
    """What a group's step works on; `None` where nothing has a gradient. With `dense` those with a
    sparse gradient are left out.
    """
    chosen = [param for param in group["params"] if param.grad is not None]
    if dense:
        chosen = [param for param in chosen if not param.grad.is_sparse]
    if not chosen:
        return None
    states = [optimizer.state[param] for param in chosen]
    return Batch(
        chosen,
        tuple([real_view(param) for param in chosen]),
        tuple([real_view(param.grad) for param in chosen]),
        states,
    )


def real_view(x: Any) -> Any:
    """A complex tensor as real numbers over the same memory; a real one as it is."""
    return view_as_real(x) if x.spec.dtype.is_complex else x


def evaluate(closure: Closure | None) -> Any:
    """The loss that a closure computes, recorded although the step is not."""
    if closure is None:
        return None
    with enable_grad():
        return closure()


def check_not_negative(optimizer: Optimizer, **options: Any) -> None:
    """Refuse negative rates."""
    for option, value in options.items():
        if not value >= 0:
            raise ArgumentError(type(optimizer).__name__, option, expected="at least 0", got=value)


def check_betas(optimizer: Optimizer, betas: tuple[float, ...]) -> None:
    """Refuse rates of running means outside [0, 1)."""
    for position, beta in enumerate(betas):
        if not 0 <= beta < 1:
            raise ArgumentError(
                type(optimizer).__name__,
                f"betas[{position}]",
                expected="at least 0 and below 1",
                got=beta,
            )


def check_tensors(optimizer: Optimizer, lr: Any, betas: tuple[Any, ...], numbers: bool) -> None:
    """Refuse rates that are numbers and tensors both, and with `numbers` tensors at all."""
    name = type(optimizer).__name__
    tensors = [isinstance(beta, Value) for beta in betas]
    if any(tensors) != all(tensors):
        raise ArgumentError(name, "betas", expected="all numbers, or all tensors", got=betas)
    if numbers and (any(tensors) or isinstance(lr, Value)):
        raise ArgumentError(
            name,
            "betas" if any(tensors) else "lr",
            expected="numbers, with foreach and without capturable",
            got="a tensor",
        )


def implementation(optimizer: Optimizer, **choices: bool | None) -> Group:
    """PyTorch's choices among its implementations of a step (`foreach`, `fused`, `capturable`).
    Here there is one, which they do not change: they are kept for those who read the group.

    `differentiable` is refused, and so is what PyTorch refuses.
    """
    if choices.get("differentiable"):
        raise ArgumentError(
            type(optimizer).__name__,
            "differentiable",
            expected="False: steps write in place and are not recorded",
            got=True,
        )
    if choices.get("foreach") and choices.get("fused"):
        raise ArgumentError(
            type(optimizer).__name__,
            "fused",
            expected="no more than one of foreach and fused",
            got="both",
        )
    return choices


def remembered(states: list[State], name: str) -> tuple[Any, ...]:
    """What the states hold under a name, side by side."""
    return tuple([real_view(state[name]) for state in states])


def penalised(p: Any, g: Any, weight_decay: float) -> Any:
    """The gradient, with that of a penalty on the parameter's square."""
    return g + p * weight_decay if weight_decay else g


def decayed(p: Any, g: Any, group: Group) -> Any:
    """The gradient under the group's weight decay: a penalty's added, or where that is decoupled
    the gradient as it is, and the parameter shrunk.
    """
    if not group["decoupled_weight_decay"]:
        return penalised(p, g, group["weight_decay"])
    p.mul_(1 - float(group["lr"]) * group["weight_decay"])
    return g


class OneByOne(Optimizer):
    """An optimizer that changes its parameters one after the other: a subclass says what it
    remembers of one (`begin`), and how one moves (`move`).

    Every state counts its steps, the present one included, under "step".
    """

    counted = ("step",)

    @no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        loss = evaluate(closure)
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                if not state:
                    state["step"] = 0
                    state.update(self.begin(param, group))
                state["step"] += 1
                p, g = real_view(param), real_view(param.grad)
                self.move(p, -g if group["maximize"] else g, state, group)
        return loss

    def begin(self, param: Tensor, group: Group) -> State:
        """What is remembered of a parameter before its first step, besides their number."""
        raise NotImplementedError

    def move(self, p: Any, g: Any, state: State, group: Group) -> None:
        """Change a parameter by its gradient, or by the opposite if the group maximizes; complex
        ones come as their real views.
        """
        raise NotImplementedError
