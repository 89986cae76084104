"""Optimizers, with every option that PyTorch's own table `optim_db` has for the CPU, for 50 steps;
and the schedulers for 60.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
import torch

import plugrad

from .agreement import Disagreement, compare
from .calls import Raised, attempt, compare_errors
from .sides import Carrier, find
from .tables import OPTIMIZERS, UNMADE

STEPS = 50
SLACK = 1e4  # errors of rounding grow over the steps
#: PyTorch keeps the step in single precision, and orthogonalises in bfloat16.
COARSE = {"optim.ASGD": 1e9, "optim.Muon": 1e11}
#: What PyTorch's state dicts hold though nothing reads it again.
SCRATCH = {"al"}
#: Step 7 leaves the last parameter without a gradient: it must stay where it is.
WITHOUT_GRADIENT = 7

#: Options beyond those of PyTorch's table: each is tried with the optimizers that have it.
MORE: tuple[dict[str, Any], ...] = (
    {"foreach": True},
    {"foreach": False},
    {"maximize": True},
    {"differentiable": False},
    {"max_iter": 2, "history_size": 3},
    {"max_iter": 3, "line_search_fn": "strong_wolfe"},
)


@final
@dataclass(frozen=True)
class Setting:
    """A way to make an optimizer."""

    name: str
    options: dict[str, Any]
    bad: bool = False


def settings_of(info: Any) -> Iterator[Setting]:
    """The ways to make one of PyTorch's optimizers."""
    inputs = info.optim_inputs_func(device="cpu")
    for i, each in enumerate(inputs):
        yield Setting(f"{i}-{each.desc}".replace(" ", "_"), dict(each.kwargs))
    known = info.optim_cls.__init__.__code__.co_varnames
    for options in MORE:
        if set(options) <= set(known):
            yield Setting(f"{options}", options)
    if info.optim_error_inputs_func is None:
        return
    for i, each in enumerate(info.optim_error_inputs_func(device="cpu", dtype=torch.float64)):
        given = each.optimizer_error_input
        if given.params is None and each.error_on is UNMADE:
            yield Setting(f"error{i}", dict(given.kwargs), bad=True)


def compare_optimizer(name: str, setting: Setting) -> list[Disagreement]:
    """Where an optimizer of plugrad's leaves PyTorch's way; at its first step only."""
    return list(_compare(name, setting))


def _parameters(name: str) -> list[np.ndarray[Any, Any]]:
    draw = np.random.default_rng(3)
    shapes = [(4, 3), (2, 2)] if name == "optim.Muon" else [(4, 3), (5,), (1, 2, 2)]
    return [draw.standard_normal(shape) for shape in shapes]


def _compare(name: str, setting: Setting) -> Iterator[Disagreement]:
    start = _parameters(name)
    sides = []
    for root, options in zip((torch, plugrad), Carrier()(setting.options), strict=True):
        parameters = [root.nn.Parameter(root.from_numpy(p.copy())) for p in start]
        # Two groups, one of which has a rate of its own.
        groups = [{"params": parameters[:1]}, {"params": parameters[1:]}]
        if not setting.bad and "lr" not in options and name != "optim.LBFGS":
            groups[1]["lr"] = 3e-3
        given: Any = parameters if name == "optim.LBFGS" else groups
        sides.append((root, parameters, attempt(find(root, name), given, **options)))
    (_, theirs, first), (_, ours, second) = sides
    if isinstance(first, Raised) or isinstance(second, Raised):
        yield from compare_errors(first, second)
        return
    yield from _compare_groups(first, second)
    draw = np.random.default_rng(4)
    steps = 10 if name == "optim.LBFGS" else STEPS
    forces: list[Any] = []
    for step in range(steps):
        # L-BFGS is for an objective that stays the same: else it magnifies the last bits.
        if not forces or name != "optim.LBFGS":
            forces = [draw.standard_normal(p.shape) for p in start]
        losses = []
        for root, parameters, optimizer in sides:
            closure = _closure(root, parameters, optimizer, forces, step)
            losses.append(attempt(optimizer.step, closure))
        if isinstance(losses[0], Raised) or isinstance(losses[1], Raised):
            yield from compare_errors(losses[0], losses[1])
            return
        now = [p.detach() for p in theirs], [p.detach() for p in ours]
        found = list(compare(*now, slack=COARSE.get(name, SLACK)))
        if found:
            yield Disagreement(found[0].what, f"step {step}: {found[0].detail}")
            return
    yield from _compare_state(first, second)


def _closure(
    root: Any, parameters: list[Any], optimizer: Any, forces: list[Any], step: int
) -> Callable[[], Any]:
    """A loss with a curved valley, the gradient of which is pushed about anew at every step."""

    def closure() -> Any:
        optimizer.zero_grad()
        loss = 0.0
        for i, (p, force) in enumerate(zip(parameters, forces, strict=True)):
            if step == WITHOUT_GRADIENT and i == len(parameters) - 1:
                continue
            push = root.from_numpy(np.array(force))
            loss = loss + (0.5 * p * p + 0.1 * p * p * p * p + 0.3 * p * push).sum()
        loss.backward()
        return loss

    return closure


def _compare_groups(theirs: Any, ours: Any) -> Iterator[Disagreement]:
    """Whether the same options stand in the groups: programs read and set them there."""
    for a, b in zip(theirs.param_groups, ours.param_groups, strict=True):
        lacking = [key for key in a if key not in b]
        if lacking:
            yield Disagreement("keywords", f"param_groups: lacking {lacking}")
            return
        for key in a:
            if key != "params" and not isinstance(a[key], torch.Tensor) and a[key] != b[key]:
                got = f"expected {a[key]!r}, got {b[key]!r}"
                yield Disagreement("values", f"param_groups: {key}: {got}")


def _compare_state(theirs: Any, ours: Any) -> Iterator[Disagreement]:
    """Whether the state dicts hold the same, and plugrad's takes PyTorch's."""
    wanted, got = theirs.state_dict()["state"], ours.state_dict()["state"]
    if set(wanted) != set(got):
        yield Disagreement("keywords", f"state: expected {sorted(wanted)}, got {sorted(got)}")
        return
    for index in wanted:
        kept = [key for key, v in wanted[index].items() if v is not None and key not in SCRATCH]
        lacking = [key for key in kept if key not in got[index]]
        if lacking:
            yield Disagreement("keywords", f"state[{index}]: lacking {lacking}")
            return
    failed = attempt(ours.load_state_dict, Carrier()(theirs.state_dict())[1])
    if isinstance(failed, Raised):
        yield Disagreement("refused", f"load_state_dict: {failed}")


@final
@dataclass(frozen=True)
class OptimizerRow:
    """An optimizer's name and its settings."""

    name: str
    settings: Callable[[], Iterator[Setting]]


def rows() -> list[OptimizerRow]:
    """Every optimizer of PyTorch's table."""
    return [
        OptimizerRow(f"optim.{info.optim_cls.__name__}", partial(settings_of, info))
        for info in OPTIMIZERS
    ]


# schedulers ---------------------------------------------------------------------------------------

SCHEDULED_STEPS = 60

_CYCLE = {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 4}

#: By scheduler, the ways to make it: options, or what makes it from either side's
#: `lr_scheduler` and an optimizer.
SCHEDULERS: dict[str, tuple[Any, ...]] = {
    "ConstantLR": ({}, {"factor": 0.5, "total_iters": 7}, {"factor": 2.0}),
    "CosineAnnealingLR": ({"T_max": 10}, {"T_max": 25, "eta_min": 0.05}),
    "CosineAnnealingWarmRestarts": (
        {"T_0": 7},
        {"T_0": 5, "T_mult": 2, "eta_min": 0.01},
        {"T_0": 0},
    ),
    "CyclicLR": (
        {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 4},
        {
            "base_lr": 0.1,
            "max_lr": 0.9,
            "step_size_up": 4,
            "step_size_down": 7,
            "mode": "triangular2",
        },
        {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 4, "mode": "exp_range", "gamma": 0.95},
        {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 4, "cycle_momentum": False},
        {"base_lr": [0.1, 0.2], "max_lr": [0.9, 0.5], "step_size_up": 4, "base_momentum": 0.7},
        {**_CYCLE, "scale_fn": lambda x: 1 / (1 + x)},
        {**_CYCLE, "mode": "zigzag"},
    ),
    "ExponentialLR": ({"gamma": 0.9}, {"gamma": 1.02, "last_epoch": -1}),
    "LambdaLR": (
        {"lr_lambda": lambda epoch: 0.95**epoch},
        {"lr_lambda": [lambda epoch: 1 / (1 + epoch), lambda epoch: 1.0]},
        {"lr_lambda": [lambda epoch: 1.0]},
    ),
    "LinearLR": (
        {},
        {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 13},
        {"start_factor": 2.0},
    ),
    "MultiStepLR": ({"milestones": [5, 20, 20, 41]}, {"milestones": [3], "gamma": 0.5}),
    "MultiplicativeLR": (
        {"lr_lambda": lambda epoch: 0.97},
        {"lr_lambda": [lambda epoch: 0.9, lambda epoch: 1.01]},
    ),
    "OneCycleLR": (
        {"max_lr": 1.0, "total_steps": 60},
        {"max_lr": 1.0, "epochs": 6, "steps_per_epoch": 10, "anneal_strategy": "linear"},
        {"max_lr": [1.0, 0.3], "total_steps": 60, "pct_start": 0.1, "three_phase": True},
        {"max_lr": 1.0, "total_steps": 60, "cycle_momentum": False, "div_factor": 4},
        {"max_lr": 1.0, "total_steps": 30},
        {"max_lr": 1.0},
    ),
    "PolynomialLR": ({}, {"total_iters": 40, "power": 2.0}),
    "ReduceLROnPlateau": (
        {},
        {"mode": "max", "patience": 2, "factor": 0.5},
        {"threshold_mode": "abs", "threshold": 0.1, "cooldown": 3, "patience": 1},
        {"min_lr": [0.1, 0.2], "patience": 0, "eps": 1e-3},
        {"factor": 1.5},
        {"mode": "least"},
    ),
    "StepLR": ({"step_size": 7}, {"step_size": 1, "gamma": 0.99}),
    "SequentialLR": (
        lambda module, optimizer: module.SequentialLR(
            optimizer,
            [module.LinearLR(optimizer, total_iters=5), module.CosineAnnealingLR(optimizer, 20)],
            milestones=[5],
        ),
        lambda module, optimizer: module.SequentialLR(
            optimizer,
            [module.ConstantLR(optimizer), module.ExponentialLR(optimizer, 0.9)],
            milestones=[5, 9],
        ),
    ),
    "ChainedScheduler": (
        lambda module, optimizer: module.ChainedScheduler(
            [module.ConstantLR(optimizer, total_iters=9), module.ExponentialLR(optimizer, 0.95)]
        ),
    ),
}


def compare_scheduler(name: str, way: Any) -> list[Disagreement]:
    """Where a scheduler's rates and momenta leave PyTorch's."""
    return list(_compare_rates(name, way))


def _compare_rates(name: str, way: Any) -> Iterator[Disagreement]:
    sides = []
    for root in (torch, plugrad):
        parameters = [root.nn.Parameter(root.ones(2)) for _ in range(2)]
        groups = [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.2}]
        optimizer = root.optim.SGD(groups, lr=0.5, momentum=0.9)
        module = find(root, "optim.lr_scheduler")
        make = way if callable(way) else lambda m, o: getattr(m, name)(o, **way)
        sides.append((root, optimizer, attempt(make, module, optimizer), parameters))
    if isinstance(sides[0][2], Raised) or isinstance(sides[1][2], Raised):
        yield from compare_errors(sides[0][2], sides[1][2])
        return
    metrics = np.random.default_rng(5).uniform(0, 1, SCHEDULED_STEPS)
    for step in range(SCHEDULED_STEPS):
        seen = []
        for _, optimizer, scheduler, _ in sides:
            optimizer.step()
            args = [float(metrics[step])] if name == "ReduceLROnPlateau" else []
            done = attempt(scheduler.step, *args)
            if isinstance(done, Raised):
                seen.append(done)
                continue
            rates = [(group["lr"], group["momentum"]) for group in optimizer.param_groups]
            seen.append((rates, [float(rate) for rate in scheduler.get_last_lr()]))
        if isinstance(seen[0], Raised) or isinstance(seen[1], Raised):
            yield from compare_errors(seen[0], seen[1])
            return
        if not np.allclose(
            np.hstack([np.ravel(x) for x in seen[0]]), np.hstack([np.ravel(x) for x in seen[1]])
        ):
            yield Disagreement("values", f"step {step}: expected {seen[0]}, got {seen[1]}")
            return
    wanted, got = sides[0][2].state_dict(), sides[1][2].state_dict()
    lacking = [key for key in wanted if not key.startswith("_") and key not in got]
    if lacking:
        yield Disagreement("keywords", f"state_dict: lacking {lacking}")
