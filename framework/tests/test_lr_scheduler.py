"""Schedules: against closed forms, resumed, restored, composed; what is refused or warned of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import plugrad as pg
from plugrad import optim
from plugrad.errors import ArgumentError, KindError
from plugrad.optim import lr_scheduler


def optimizer_of(*rates: float, kind: Any = optim.SGD, **options: Any) -> Any:
    groups = [{"params": pg.ones(1, requires_grad=True), "lr": rate} for rate in rates]
    return kind(groups, **options)


def rates_of(schedule: Any, epochs: int) -> list[float]:
    """The first group's rate at each epoch."""
    found = []
    for _ in range(epochs):
        found.append(schedule.optimizer.param_groups[0]["lr"])
        assert schedule.get_last_lr()[0] == found[-1]
        schedule.optimizer.step()
        schedule.step()
    return found


def cosine(epoch: int) -> float:
    return 0.1 + 0.9 * (1 + math.cos(math.pi * epoch / 7)) / 2


def warm(epoch: int) -> float:
    place, length = (epoch, 3) if epoch < 3 else (epoch - 3, 6) if epoch < 9 else (epoch - 9, 12)
    return 0.1 + 0.9 * (1 + math.cos(math.pi * place / length)) / 2


def triangle(epoch: int) -> float:
    place = epoch % 8
    return 0.2 + 0.8 * (place / 5 if place <= 5 else (8 - place) / 3)


class Inverse:
    """A factor that remembers something."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def __call__(self, epoch: int) -> float:
        return 1 / (1 + self.scale * epoch)


S = lr_scheduler
SCHEDULES: dict[str, tuple[Callable[[Any], Any], Callable[[int], float]]] = {
    "step": (lambda o: S.StepLR(o, 3, 0.5), lambda e: 0.5 ** (e // 3)),
    "milestones": (
        lambda o: S.MultiStepLR(o, [5, 2, 5], 0.5),
        lambda e: 0.5 ** ((e >= 2) + 2 * (e >= 5)),
    ),
    "exponential": (lambda o: S.ExponentialLR(o, 0.9), lambda e: 0.9**e),
    "lambda": (lambda o: S.LambdaLR(o, lambda e: 1 / (1 + e)), lambda e: 1 / (1 + e)),
    "product": (
        lambda o: S.MultiplicativeLR(o, lambda e: 1 - 0.1 * (e % 2)),
        lambda e: 0.9 ** ((e + 1) // 2),
    ),
    "constant": (lambda o: S.ConstantLR(o, 0.3, 4), lambda e: 0.3 if e < 4 else 1),
    "linear": (lambda o: S.LinearLR(o, 0.2, 1.0, 4), lambda e: min(1, 0.2 + 0.2 * e)),
    "polynomial": (lambda o: S.PolynomialLR(o, 5, 2.0), lambda e: max(0, 1 - e / 5) ** 2),
    "cosine": (lambda o: S.CosineAnnealingLR(o, 7, 0.1), cosine),
    "restarts": (lambda o: S.CosineAnnealingWarmRestarts(o, 3, 2, 0.1), warm),
    "cycle": (lambda o: S.CyclicLR(o, 0.2, 1.0, 5, 3, cycle_momentum=False), triangle),
}


@pytest.mark.parametrize(("make", "rate"), SCHEDULES.values(), ids=SCHEDULES)
def test_a_schedule_follows_its_closed_form(make: Any, rate: Any) -> None:
    found = rates_of(make(optimizer_of(1.0)), 16)
    assert found == pytest.approx([rate(epoch) for epoch in range(16)])


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_restored_schedule_goes_on(name: str) -> None:
    make = SCHEDULES[name][0]
    first, second = optimizer_of(1.0), optimizer_of(1.0)
    schedule = make(first)
    rates_of(schedule, 5)
    other = make(second)
    second.load_state_dict(first.state_dict())
    other.load_state_dict(schedule.state_dict())
    assert rates_of(other, 6) == rates_of(schedule, 6)


@pytest.mark.parametrize(
    ("resume", "name"),
    [
        (lambda o: S.LambdaLR(o, lambda e: 1 / (1 + e), 5), "lambda"),
        (lambda o: S.ExponentialLR(o, 0.9, 5), "exponential"),
        (lambda o: S.LinearLR(o, 0.2, 1.0, 4, 5), "linear"),
        (lambda o: S.PolynomialLR(o, 5, 2.0, 5), "polynomial"),
        (lambda o: S.CosineAnnealingLR(o, 7, 0.1, 5), "cosine"),
    ],
)
def test_a_schedule_resumes_at_an_epoch_from_the_rates_there(resume: Any, name: str) -> None:
    make, rate = SCHEDULES[name]
    optimizer = optimizer_of(1.0)
    rates_of(make(optimizer), 6)
    found = rates_of(resume(optimizer), 4)
    assert found == pytest.approx([rate(epoch) for epoch in range(6, 10)])


@pytest.mark.parametrize("name", ["step", "milestones", "constant", "linear", "cosine"])
def test_an_epoch_may_still_be_named(name: str) -> None:
    make, rate = SCHEDULES[name]
    schedule = make(optimizer_of(1.0))
    schedule.optimizer.step()
    for epoch in (7, 2, 5):
        with pytest.warns(UserWarning, match="the epoch parameter of step.* is deprecated"):
            schedule.step(epoch)
        assert schedule.get_last_lr() == pytest.approx([rate(epoch)])


def test_restarts_take_fractions_of_an_epoch() -> None:
    schedule = S.CosineAnnealingWarmRestarts(optimizer_of(1.0), 4, 2)
    schedule.step(5.5)
    assert schedule.get_last_lr() == pytest.approx([(1 + math.cos(math.pi * 1.5 / 8)) / 2])
    with pytest.raises(ArgumentError, match="epoch: expected at least 0, got -1"):
        schedule.step(-1)


def test_each_group_may_have_a_factor_of_its_own() -> None:
    optimizer = optimizer_of(1.0, 2.0)
    schedule = S.LambdaLR(optimizer, [lambda e: 0.5**e, Inverse(3)])
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr() == [0.5, 0.5]
    assert schedule.state_dict()["lr_lambdas"] == [None, {"scale": 3}]
    other = S.LambdaLR(optimizer_of(1.0, 2.0), [lambda e: 0.5**e, Inverse(0)])
    other.load_state_dict(schedule.state_dict())
    assert other.lr_lambdas[1].scale == 3


def test_a_rate_that_is_a_tensor_is_written_to() -> None:
    rate = pg.tensor(1.0)
    optimizer = optim.SGD([pg.ones(1, requires_grad=True)], lr=rate)
    schedule = S.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    schedule.step()
    assert (rate.item(), schedule.base_lrs, schedule.get_last_lr()) == (0.5, [1.0], [0.5])


# cycles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "heights"),
    [
        ({"mode": "triangular2"}, [0, 0.5, 1, 0.5, 0, 0.25, 0.5]),
        (
            {"mode": "exp_range", "gamma": 0.9},
            [0, 0.5 * 0.9, 0.81, 0.5 * 0.9**3, 0, 0.5 * 0.9**5, 0.9**6],
        ),
        ({"scale_fn": lambda cycle: 2 / cycle}, [0, 1, 2, 1, 0, 0.5, 1]),
    ],
)
def test_cycles_are_scaled(options: Any, heights: list[float]) -> None:
    schedule = S.CyclicLR(optimizer_of(9.0), 0.0, 1.0, 2, cycle_momentum=False, **options)
    assert rates_of(schedule, 7) == pytest.approx(heights)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_the_momentum_goes_the_other_way(kind: Any) -> None:
    optimizer = optimizer_of(1.0, kind=kind, **({"momentum": 0.5} if kind is optim.SGD else {}))
    schedule = S.CyclicLR(optimizer, 0.0, 1.0, 2, base_momentum=0.6, max_momentum=0.8)
    momenta = []
    for _ in range(5):
        group = optimizer.param_groups[0]
        momenta.append(group["momentum"] if kind is optim.SGD else group["betas"][0])
        optimizer.step()
        schedule.step()
    assert momenta == pytest.approx([0.8, 0.7, 0.6, 0.7, 0.8])


def test_one_cycle_goes_up_and_down_to_almost_nothing() -> None:
    optimizer = optimizer_of(9.0, momentum=0.5)
    schedule = S.OneCycleLR(optimizer, 1.0, total_steps=11, pct_start=0.5, div_factor=10)
    found = rates_of(schedule, 11)
    assert (found[0], found[-1]) == pytest.approx((0.1, 0.1 / 1e4))
    assert found[3] < found[4] < found[5] > found[6]  # the top, at 4.5, lies between two steps
    assert found[1] == pytest.approx(1 - 0.9 * (1 + math.cos(math.pi / 4.5)) / 2)
    schedule.optimizer.step()
    with pytest.raises(ArgumentError, match="total_steps: expected at most 11 steps, got step 12"):
        schedule.step()


def test_one_cycle_of_three_phases_comes_down_as_it_went_up() -> None:
    optimizer = optimizer_of(9.0, momentum=0.5)
    schedule = S.OneCycleLR(
        optimizer,
        1.0,
        epochs=2,
        steps_per_epoch=5,
        pct_start=0.4,
        anneal_strategy="linear",
        div_factor=10,
        three_phase=True,
    )
    found = rates_of(schedule, 10)
    assert found[:7] == pytest.approx([0.1, 0.4, 0.7, 1.0, 0.7, 0.4, 0.1])
    assert found[-1] == pytest.approx(0.1 / 1e4)


# a metric -----------------------------------------------------------------------------------------


def test_a_plateau_reduces_the_rate_after_its_patience_and_cools_down() -> None:
    schedule = S.ReduceLROnPlateau(
        optimizer_of(1.0), factor=0.5, patience=1, cooldown=2, min_lr=0.2
    )
    found = []
    for metric in (3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0):
        schedule.step(pg.tensor(metric))
        found += schedule.get_last_lr()
    assert found == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2]


@pytest.mark.parametrize(
    ("mode", "threshold_mode", "better", "worse"),
    [
        ("min", "rel", 8.9, 9.1),
        ("max", "rel", 11.1, 10.9),
        ("min", "abs", 9.8, 9.95),
        ("max", "abs", 10.2, 10.05),
    ],
)
def test_a_metric_must_improve_by_more_than_the_threshold(
    mode: str, threshold_mode: str, better: float, worse: float
) -> None:
    for metric, count in ((better, 0), (worse, 1)):
        schedule = S.ReduceLROnPlateau(
            optimizer_of(1.0), mode, threshold=0.1, threshold_mode=threshold_mode
        )
        schedule.step(10.0)
        schedule.step(metric)
        assert schedule.num_bad_epochs == count


def test_a_group_that_joined_needs_a_least_rate() -> None:
    optimizer = optimizer_of(1.0)
    shared = S.ReduceLROnPlateau(optimizer, patience=0, min_lr=0.01)
    listed = S.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.01])
    optimizer.add_param_group({"params": pg.ones(1, requires_grad=True), "lr": 2.0})
    for _ in range(2):
        shared.step(1.0)
    assert shared.get_last_lr() == pytest.approx([0.1, 0.2])
    listed.step(1.0)
    with pytest.raises(ArgumentError, match="min_lr: expected 2, one per group, got 1"):
        listed.step(1.0)


# composed -----------------------------------------------------------------------------------------


def warmed_up(optimizer: Any) -> Any:
    parts = [S.LinearLR(optimizer, 0.25, 1.0, 3), S.ExponentialLR(optimizer, 0.5)]
    return S.SequentialLR(optimizer, parts, [3])


def both(optimizer: Any) -> Any:
    return S.ChainedScheduler([S.ConstantLR(optimizer, 0.5, 2), S.ExponentialLR(optimizer, 0.5)])


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (warmed_up, [0.25, 0.5, 0.75, 1, 0.5, 0.25]),
        (both, [0.5, 0.25, 0.25, 0.125, 0.0625, 0.03125]),
    ],
)
def test_schedules_are_composed_and_restored(make: Any, expected: list[float]) -> None:
    schedule = make(optimizer_of(1.0))
    assert rates_of(schedule, 2) == pytest.approx(expected[:2])
    other = make(optimizer_of(1.0))
    other.optimizer.load_state_dict(schedule.optimizer.state_dict())
    other.load_state_dict(schedule.state_dict())
    assert rates_of(schedule, 4) == pytest.approx(expected[2:])
    assert rates_of(other, 4) == pytest.approx(expected[2:])


# averages -----------------------------------------------------------------------------------------


def test_the_rate_of_averaging_is_approached_along_a_line_or_a_cosine() -> None:
    for strategy, middle in (("linear", 0.6), ("cos", 0.6)):
        schedule = optim.swa_utils.SWALR(optimizer_of(1.0), 0.2, 4, strategy)
        found = rates_of(schedule, 7)
        assert (found[0], found[2]) == pytest.approx((1.0, middle))
        assert found[4:] == pytest.approx([0.2] * 3)
        assert (found[1] > 0.81) == (strategy == "cos")


def model() -> Any:
    return pg.nn.Sequential(pg.nn.Linear(2, 3), pg.nn.BatchNorm1d(3))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 2.0),
        ({"avg_fn": optim.swa_utils.get_ema_avg_fn(0.5)}, 2.25),
        ({"multi_avg_fn": optim.swa_utils.get_ema_multi_avg_fn(0.5)}, 2.25),
        ({"multi_avg_fn": optim.swa_utils.get_swa_multi_avg_fn()}, 2.0),
    ],
)
@pytest.mark.parametrize("use_buffers", [False, True])
def test_a_model_is_averaged(options: Any, expected: float, use_buffers: bool) -> None:
    source = model()
    averaged = optim.swa_utils.AveragedModel(source, use_buffers=use_buffers, **options)
    for value in (1.0, 2.0, 3.0):
        with pg.no_grad():
            source[0].bias.fill_(value)
            source[1].running_mean.fill_(value)
        averaged.update_parameters(source)
    assert averaged.module[0].bias.tolist() == pytest.approx([expected] * 3)
    assert averaged.module[1].running_mean.tolist() == [expected if use_buffers else 3.0] * 3
    assert averaged.n_averaged.item() == 3
    assert averaged(pg.ones(2, 2)).shape == (2, 3)


def test_running_means_are_computed_anew_over_all_batches() -> None:
    net = model().eval()
    batches = [(pg.ones(4, 2) * k + pg.rand(4, 2), None) for k in range(3)]
    optim.swa_utils.update_bn(batches, net)
    means = [net[0](x).detach().mean(0) for x, _ in batches]
    assert pg.allclose(net[1].running_mean, (means[0] + means[1] + means[2]) / 3, atol=1e-6)
    assert (net.training, net[1].momentum) == (False, 0.1)


def test_a_model_without_batch_norm_needs_no_pass() -> None:
    optim.swa_utils.update_bn(
        iter(lambda: pytest.fail("a batch was asked for"), None), pg.nn.ReLU()
    )


# what is refused ----------------------------------------------------------------------------------


def test_get_lr_must_be_defined() -> None:
    with pytest.raises(NotImplementedError, match="LRScheduler does not define get_lr"):
        S.LRScheduler(optimizer_of(1.0))


def test_a_schedule_before_its_optimizer_is_warned_of() -> None:
    schedule = S.ExponentialLR(optimizer_of(1.0), 0.5)
    with pytest.warns(UserWarning, match="step.. before the optimizer's"):
        schedule.step()


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda o: S.StepLR(3, 1), KindError, "optimizer: expected an Optimizer"),
        (lambda o: S.StepLR(o, 1, last_epoch=4), ArgumentError, "initial_lr.*got 4"),
        (lambda o: S.LambdaLR(o, []), ArgumentError, "lr_lambda: expected 1, one per"),
        (lambda o: S.LambdaLR(o, 3), KindError, "lr_lambda: expected functions, got int"),
        (lambda o: S.LinearLR(o, 0.0), ArgumentError, "start_factor: expected above 0"),
        (lambda o: S.LinearLR(o, 0.5, 2.0), ArgumentError, "end_factor: expected from 0"),
        (lambda o: S.ConstantLR(o, 2.0), ArgumentError, "factor: expected from 0 to 1"),
        (lambda o: S.CosineAnnealingWarmRestarts(o, 0), ArgumentError, "T_0: expected an int of"),
        (lambda o: S.CyclicLR(o, 0.1, 1.0, mode="x"), ArgumentError, "mode: expected 'triang"),
        (lambda o: S.CyclicLR(o, [0.1, 1], 1.0), ArgumentError, "base_lr: expected 1, one per"),
        (lambda o: S.OneCycleLR(o, 1.0), ArgumentError, "total_steps, or epochs and steps"),
        (lambda o: S.OneCycleLR(o, 1.0, 0), ArgumentError, "total_steps: expected a positive int"),
        (lambda o: S.OneCycleLR(o, 1.0, 5, pct_start=2.0), ArgumentError, "pct_start"),
        (
            lambda o: S.OneCycleLR(o, 1.0, 5, anneal_strategy="x"),
            ArgumentError,
            "'cos' or 'linear'",
        ),
        (lambda o: S.ReduceLROnPlateau(o, "x"), ArgumentError, "mode: expected 'min' or 'max'"),
        (lambda o: S.ReduceLROnPlateau(o, factor=1.0), ArgumentError, "factor: expected below 1"),
        (
            lambda o: S.ReduceLROnPlateau(o, threshold_mode="x"),
            ArgumentError,
            "threshold_mode: expected 'rel'",
        ),
        (lambda o: S.SequentialLR(o, [], []), ArgumentError, "at least one schedule, got none"),
        (lambda o: S.ChainedScheduler([3]), KindError, r"schedulers\[0\]: expected a schedule"),
        (
            lambda o: S.SequentialLR(o, [S.StepLR(o, 1)], [2]),
            ArgumentError,
            "milestones: expected 0, one less than schedules, got 1",
        ),
        (
            lambda o: S.ChainedScheduler([S.ReduceLROnPlateau(o)]),
            ArgumentError,
            "takes no metric, got ReduceLROnPlateau",
        ),
        (
            lambda o: S.ChainedScheduler([S.StepLR(optimizer_of(1.0), 1)], o),
            ArgumentError,
            "a schedule of the same optimizer",
        ),
        (lambda o: optim.swa_utils.SWALR(o, 0.1, -1), ArgumentError, "anneal_epochs: expected"),
        (lambda o: optim.swa_utils.SWALR(o, 0.1, 2, "x"), ArgumentError, "anneal_strategy"),
        (lambda o: optim.swa_utils.get_ema_avg_fn(2.0), ArgumentError, "decay: expected from 0"),
        (
            lambda o: optim.swa_utils.AveragedModel(model(), avg_fn=max, multi_avg_fn=max),
            ArgumentError,
            "no more than one of avg_fn",
        ),
    ],
)
def test_a_wrong_schedule_is_refused(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        make(optimizer_of(1.0, momentum=0.9))


def test_a_momentum_that_is_not_there_cannot_cycle() -> None:
    optimizer = optimizer_of(1.0, kind=optim.Adagrad)
    with pytest.raises(ArgumentError, match="an optimizer with momentum or betas, got Adagrad"):
        S.CyclicLR(optimizer, 0.1, 1.0)


def test_states_hold_what_pytorchs_hold():
    params = [pg.nn.Parameter(pg.ones(1))]
    adam, sgd = pg.optim.Adam(params), pg.optim.SGD(params, lr=0.1, momentum=0.9)
    assert lr_scheduler.OneCycleLR(adam, 1.0, 10).state_dict()["use_beta1"] is True
    assert lr_scheduler.CyclicLR(sgd, 0.1, 1.0).state_dict()["use_beta1"] is False
    assert lr_scheduler.ReduceLROnPlateau(sgd, "max").state_dict()["mode_worse"] == -math.inf
