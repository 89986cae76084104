"""L-BFGS: a quasi-Newton method, for smooth objectives that do not change between evaluations."""

from __future__ import annotations

from typing import Any

from plugrad.errors import ArgumentError
from plugrad.functions.joining import cat
from plugrad.optim.line_search import Point, strong_wolfe
from plugrad.optim.optimizer import Closure, Optimizer, ParamsT
from plugrad.optim.stepping import State, check_not_negative, evaluate, real_view
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


class LBFGS(Optimizer):
    """Goes along `-H g`, where the inverse Hessian H is guessed from the last `history_size`
    changes of the parameters and their gradients.

    D. C. Liu, J. Nocedal, On the limited memory BFGS method for large scale optimization,
    Mathematical Programming 45, 1989. A `step(closure)` takes up to `max_iter` iterations, with up
    to `max_eval` evaluations of the closure (by default 1.25 times as many), until no element of
    the gradient is above `tolerance_grad`, or the parameters and the loss change by less than
    `tolerance_change`. Each goes `lr` far, or with `line_search_fn="strong_wolfe"` to where the
    line is low and flat. All parameters form one group.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_not_negative(self, lr=lr)
        if line_search_fn not in (None, "strong_wolfe"):
            raise ArgumentError(
                "LBFGS", "line_search_fn", expected="None or 'strong_wolfe'", got=line_search_fn
            )
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )
        if len(self.param_groups) != 1:
            raise ArgumentError(
                "LBFGS", "params", expected="one group", got=f"{len(self.param_groups)}"
            )

    @no_grad()
    def step(self, closure: Closure) -> Any:
        """Take up to `max_iter` iterations; `closure` computes the loss and its gradients anew.
        Returns the loss before them.
        """
        (group,) = self.param_groups
        # What is remembered is about all parameters; it is kept with the first.
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        before = evaluate(closure)
        loss, gradient = float(before), self._gradient()
        state["func_evals"] += 1
        evaluations = 1
        if _largest(gradient) <= group["tolerance_grad"]:
            return before
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            first = state["n_iter"] == 1
            direction = (
                _first_direction(state, gradient)
                if first
                else _direction(state, gradient, group["history_size"])
            )
            step = float(group["lr"])
            if first:
                step *= min(1.0, 1 / gradient.abs().sum().item())
            earlier = loss
            state.update(d=direction, t=step, prev_flat_grad=gradient.clone(), prev_loss=loss)
            slope = gradient.dot(direction).item()
            if slope > -group["tolerance_change"]:
                break
            evaluated = 0
            if group["line_search_fn"]:
                start = Point(0.0, loss, gradient, slope)
                tries = group["max_eval"] - evaluations
                found, evaluated = self._search(closure, start, step, direction, tries)
                loss, gradient, step = found.loss, found.gradient, found.step
                state["t"] = step
                self._go(direction, step)
            else:
                self._go(direction, step)
                if iteration != group["max_iter"]:
                    # After the last move nobody asks: the next step evaluates anew.
                    loss, gradient = float(evaluate(closure)), self._gradient()
                    evaluated = 1
            evaluations += evaluated
            state["func_evals"] += evaluated
            if (
                evaluations >= group["max_eval"]
                or _largest(gradient) <= group["tolerance_grad"]
                or _largest(direction) * abs(step) <= group["tolerance_change"]
                or abs(loss - earlier) < group["tolerance_change"]
            ):
                break
        return before

    def _search(
        self, closure: Closure, start: Point, step: float, direction: Any, tries: int
    ) -> tuple[Point, int]:
        params = self.param_groups[0]["params"]
        places = [param.clone() for param in params]

        def at(step: float) -> Point:
            self._go(direction, step)
            loss, gradient = float(evaluate(closure)), self._gradient()
            for param, place in zip(params, places, strict=True):
                param.copy_(place)
            return Point(step, loss, gradient, gradient.dot(direction).item())

        return strong_wolfe(at, start, step, _largest(direction), tries)

    def _gradient(self) -> Any:
        """All gradients in one vector; 0 where there is none."""
        return cat([_flat(p, p.grad) for p in self.param_groups[0]["params"]])

    def _go(self, direction: Any, step: float) -> None:
        start = 0
        for param in self.param_groups[0]["params"]:
            p = real_view(param)
            part = direction.narrow(0, start, p.numel())
            p.add_(part.reshape(p.spec.shape), alpha=step)
            start += p.numel()


def _flat(param: Tensor, grad: Tensor | None) -> Any:
    if grad is None:
        p = real_view(param)
        return p.new_zeros(p.numel())
    return real_view(grad).reshape(-1)


def _largest(vector: Any) -> float:
    return vector.abs().max().item()


def _first_direction(state: State, gradient: Any) -> Any:
    state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
    return gradient.neg()


def _direction(state: State, gradient: Any, history_size: int) -> Any:
    """`-H g` by two loops over what is remembered: changes of the gradient ("old_dirs") and of the
    parameters ("old_stps"), one over their products ("ro").
    """
    changes, moves, rates = state["old_dirs"], state["old_stps"], state["ro"]
    change = gradient - state["prev_flat_grad"]
    move = state["d"] * float(state["t"])
    product = change.dot(move).item()
    if product > 1e-10:  # else the curvature is not positive, or noise
        if len(changes) == history_size:
            for memory in (changes, moves, rates):
                del memory[0]
        changes.append(change)
        moves.append(move)
        rates.append(1 / product)
        state["H_diag"] = product / change.dot(change).item()
    direction = gradient.neg()
    shares: list[float] = []
    for change, move, rate in zip(reversed(changes), reversed(moves), reversed(rates)):
        shares.append(move.dot(direction).item() * float(rate))
        direction.sub_(change, alpha=shares[-1])
    direction.mul_(float(state["H_diag"]))
    for change, move, rate, share in zip(changes, moves, rates, reversed(shares)):
        direction.add_(move, alpha=share - change.dot(direction).item() * float(rate))
    return direction
