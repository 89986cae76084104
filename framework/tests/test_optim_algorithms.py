"""The algorithms besides SGD and Adam, against their formulas in plain Python floats."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest

import plugrad as pg
from plugrad import optim
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.ops.optimizer import adagrad_step, rmsprop_step

STEPS = 50
START = (0.7, -1.3, 2.0)

# What one parameter remembers between its steps, and its step: (p, g, memory, t) -> p.
Step = Callable[[float, float, dict[str, float], int], float]


def gradient(p: float, step: int) -> float:
    return 0.3 * p + math.sin(step + 2 * p)


def leaf(*numbers: float, dtype: Any = pg.float64) -> Any:
    return pg.tensor(list(numbers), dtype=dtype, requires_grad=True)


def train(optimizer: Any, params: list[Any], steps: Any = range(STEPS)) -> None:
    for step in steps:
        for param in params:
            param.grad = pg.tensor(
                [gradient(p, step) for p in param.detach().tolist()], dtype=param.dtype
            )
        optimizer.step()


def by_hand(step: Step, maximize: bool = False, weight_decay: float = 0) -> list[float]:
    found = []
    for p in START:
        memory: dict[str, float] = {}
        for t in range(STEPS):
            g = gradient(p, t) * (-1 if maximize else 1) + weight_decay * p
            p = step(p, g, memory, t + 1)
        found.append(p)
    return found


def options(**values: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


COMMON = {"maximize": (False, True), "weight_decay": (0, 0.05)}


@pytest.mark.parametrize(
    "option", options(centered=(False, True), momentum=(0, 0.9), **COMMON), ids=str
)
def test_rmsprop_follows_its_formula(option: dict[str, Any]) -> None:
    def step(p: float, g: float, m: dict[str, float], t: int) -> float:
        m["v"] = 0.9 * m.get("v", 0) + 0.1 * g * g
        m["a"] = 0.9 * m.get("a", 0) + 0.1 * g
        size = math.sqrt(m["v"] - (m["a"] ** 2 if option["centered"] else 0)) + 1e-3
        m["b"] = option["momentum"] * m.get("b", 0) + g / size
        return p - 0.03 * m["b"]

    p = leaf(*START)
    train(optim.RMSprop([p], lr=0.03, alpha=0.9, eps=1e-3, **option), [p])
    expected = by_hand(step, option["maximize"], option["weight_decay"])
    assert p.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "option", options(lr_decay=(0, 0.1), initial_accumulator_value=(0, 0.5), **COMMON), ids=str
)
def test_adagrad_follows_its_formula(option: dict[str, Any]) -> None:
    def step(p: float, g: float, m: dict[str, float], t: int) -> float:
        m["s"] = m.get("s", option["initial_accumulator_value"]) + g * g
        return p - 0.3 / (1 + (t - 1) * option["lr_decay"]) * g / (math.sqrt(m["s"]) + 1e-10)

    p = leaf(*START)
    train(optim.Adagrad([p], lr=0.3, **option), [p])
    expected = by_hand(step, option["maximize"], option["weight_decay"])
    assert p.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("option", options(**COMMON), ids=str)
def test_adadelta_follows_its_formula(option: dict[str, Any]) -> None:
    def step(p: float, g: float, m: dict[str, float], t: int) -> float:
        m["v"] = 0.8 * m.get("v", 0) + 0.2 * g * g
        move = math.sqrt(m.get("u", 0) + 1e-4) / math.sqrt(m["v"] + 1e-4) * g
        m["u"] = 0.8 * m.get("u", 0) + 0.2 * move * move
        return p - 0.7 * move

    p = leaf(*START)
    train(optim.Adadelta([p], lr=0.7, rho=0.8, eps=1e-4, **option), [p])
    expected = by_hand(step, option["maximize"], option["weight_decay"])
    assert p.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("option", options(**COMMON), ids=str)
def test_adamax_follows_its_formula(option: dict[str, Any]) -> None:
    def step(p: float, g: float, m: dict[str, float], t: int) -> float:
        m["m"] = 0.8 * m.get("m", 0) + 0.2 * g
        m["u"] = max(0.9 * m.get("u", 0), abs(g) + 1e-4)
        return p - 0.03 / (1 - 0.8**t) * m["m"] / m["u"]

    p = leaf(*START)
    train(optim.Adamax([p], lr=0.03, betas=(0.8, 0.9), eps=1e-4, **option), [p])
    expected = by_hand(step, option["maximize"], option["weight_decay"])
    assert p.tolist() == pytest.approx(expected, rel=1e-9)


def moments(g: float, m: dict[str, float], t: int) -> float:
    """Adam's means, kept in `m`; the second one corrected."""
    m["m"] = 0.8 * m.get("m", 0) + 0.2 * g
    m["v"] = 0.95 * m.get("v", 0) + 0.05 * g * g
    return math.sqrt(m["v"] / (1 - 0.95**t)) + 1e-6


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("option", options(**COMMON), ids=str)
def test_nadam_follows_its_formula(option: dict[str, Any], decoupled: bool) -> None:
    decay = option["weight_decay"]

    def step(p: float, g: float, m: dict[str, float], t: int) -> float:
        p = p * (1 - 0.03 * decay) if decoupled else p
        size = moments(g, m, t)
        now, then = [0.8 * (1 - 0.96 ** (k * 0.1) / 2) for k in (t, t + 1)]
        m["mu"] = m.get("mu", 1) * now
        fresh = (1 - now) / (1 - m["mu"]) * g
        return p - 0.03 * (fresh + then / (1 - m["mu"] * then) * m["m"]) / size

    p = leaf(*START)
    fixed = {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-6, "momentum_decay": 0.1}
    train(optim.NAdam([p], **fixed, decoupled_weight_decay=decoupled, **option), [p])
    expected = by_hand(step, option["maximize"], 0 if decoupled else decay)
    assert p.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("option", options(**COMMON), ids=str)
def test_radam_follows_its_formula(option: dict[str, Any], decoupled: bool) -> None:
    decay = option["weight_decay"]

    def step(p: float, g: float, m: dict[str, float], t: int) -> float:
        p = p * (1 - 0.03 * decay) if decoupled else p
        moments(g, m, t)
        mean = m["m"] / (1 - 0.8**t)
        longest = 2 / (1 - 0.95) - 1
        length = longest - 2 * t * 0.95**t / (1 - 0.95**t)
        if length <= 5:
            return p - 0.03 * mean
        known = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return p - 0.03 * mean * math.sqrt(known * (1 - 0.95**t)) / (math.sqrt(m["v"]) + 1e-6)

    p = leaf(*START)
    fixed = {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-6}
    train(optim.RAdam([p], **fixed, decoupled_weight_decay=decoupled, **option), [p])
    expected = by_hand(step, option["maximize"], 0 if decoupled else decay)
    assert p.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("maximize", [False, True])
def test_rprop_follows_its_formula(maximize: bool) -> None:
    def step(p: float, g: float, m: dict[str, float], t: int) -> float:
        agreement = g * m.get("g", 0)
        factor = 1.3 if agreement > 0 else 0.4 if agreement < 0 else 1
        m["s"] = min(max(m.get("s", 0.03) * factor, 1e-3), 0.1)
        m["g"] = 0 if agreement < 0 else g
        return p - math.copysign(m["s"], m["g"]) * (m["g"] != 0)

    p = leaf(*START)
    fixed = {"etas": (0.4, 1.3), "step_sizes": (1e-3, 0.1)}
    train(optim.Rprop([p], lr=0.03, maximize=maximize, **fixed), [p])
    assert p.tolist() == pytest.approx(by_hand(step, maximize), rel=1e-9)


@pytest.mark.parametrize("option", options(**COMMON), ids=str)
def test_asgd_follows_its_formula_and_averages(option: dict[str, Any]) -> None:
    means = []

    def step(p: float, g: float, m: dict[str, float], t: int) -> float:
        eta = 0.03 / (1 + 0.1 * 0.03 * (t - 1)) ** 0.6
        p = p * (1 - 0.1 * eta) - eta * g
        share = 1 / max(1, t - 1 - 10)
        m["mean"] = m.get("mean", 0) + (p - m.get("mean", 0)) * share
        if t == STEPS:
            means.append(m["mean"])
        return p

    p = leaf(*START)
    optimizer = optim.ASGD([p], lr=0.03, lambd=0.1, alpha=0.6, t0=10, **option)
    train(optimizer, [p])
    expected = by_hand(step, option["maximize"], option["weight_decay"])
    assert p.tolist() == pytest.approx(expected, rel=1e-9)
    assert optimizer.state[p]["ax"].tolist() == pytest.approx(means, rel=1e-9)


def test_adafactor_remembers_rows_and_columns_of_a_matrix() -> None:
    p, g = pg.rand(4, 3, dtype=pg.float64), pg.rand(4, 3, dtype=pg.float64) + 0.5
    w = p.clone().requires_grad_()
    optimizer = optim.Adafactor([w], lr=0.02, eps=(1e-3, 1e-2), d=1.5, weight_decay=0.1)
    w.grad = g
    optimizer.step()
    # The first step takes all of the new gradient.
    rows, columns = (g * g).mean(1, True), (g * g).mean(0, True)
    move = g / (rows * columns / rows.mean()).sqrt()
    rate = 0.02 * float((p * p).mean().sqrt())
    move = move / max(1.0, float((move * move).mean().sqrt()) / 1.5)
    assert pg.allclose(w, p * (1 - 0.02 * 0.1) - move * rate, rtol=1e-9, atol=0)
    state = optimizer.state[w]
    assert (tuple(state["row_var"].shape), tuple(state["col_var"].shape)) == ((4, 1), (1, 3))


def test_adafactor_keeps_each_element_of_a_vector() -> None:
    w = leaf(1.0, -2.0)
    optimizer = optim.Adafactor([w], lr=0.5, d=1.0, maximize=True)
    w.grad = pg.tensor([0.1, -3.0], dtype=pg.float64)
    optimizer.step()
    # g / sqrt(g²) is the sign; the rate is min(lr, 1) times the size of the parameter.
    rate = 0.5 * math.sqrt(2.5)
    assert w.tolist() == pytest.approx([1 + rate, -2 - rate])


@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
def test_muon_steps_along_an_orthogonal_matrix(shape: tuple[int, int]) -> None:
    pg.manual_seed(0)
    w = pg.zeros(*shape, dtype=pg.float64, requires_grad=True)
    w.grad = pg.randn(*shape, dtype=pg.float64)
    optim.Muon([w], lr=1.0, weight_decay=0.0, momentum=0.0, nesterov=False, ns_steps=9).step()
    move = -w.detach() / math.sqrt(max(1, shape[0] / shape[1]))
    short = min(shape)
    gram = move @ move.T if shape[0] == short else move.T @ move
    # The quintic does not settle on 1: singular values end between about 0.7 and 1.2.
    assert (gram - pg.eye(short, dtype=pg.float64)).abs().max() < 0.55
    assert (move * w.grad).sum() > 0.6 * (w.grad * w.grad).sum().sqrt()


def test_muon_scales_its_rate_by_the_shape() -> None:
    grad = pg.rand(6, 2, dtype=pg.float64)
    sizes = []
    for adjust in (None, "original", "match_rms_adamw"):
        w = pg.zeros(6, 2, dtype=pg.float64, requires_grad=True)
        w.grad = grad
        optim.Muon([w], lr=1.0, adjust_lr_fn=adjust).step()
        sizes.append(float((w * w).sum().sqrt()))
    assert sizes[0] == sizes[1]
    assert sizes[2] / sizes[0] == pytest.approx(0.2 * math.sqrt(6) / math.sqrt(3))


# L-BFGS -------------------------------------------------------------------------------------------


def minimize(optimizer: Any, loss: Callable[[], Any], steps: int) -> int:
    """Steps of L-BFGS; how often the loss was computed."""
    calls = 0

    def closure() -> Any:
        nonlocal calls
        calls += 1
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(steps):
        optimizer.step(closure)
    return calls


@pytest.mark.parametrize("history_size", [2, 100])
def test_lbfgs_with_a_line_search_finds_the_bottom_of_a_valley(history_size: int) -> None:
    x, y = leaf(-1.2), leaf(1.0)
    optimizer = optim.LBFGS([x, y], line_search_fn="strong_wolfe", history_size=history_size)
    minimize(optimizer, lambda: ((1 - x) ** 2 + 100 * (y - x * x) ** 2).sum(), 9)
    assert (x.item(), y.item()) == pytest.approx((1, 1), abs=1e-4)
    assert len(optimizer.state[x]["old_dirs"]) <= history_size


def test_lbfgs_solves_a_quadratic_in_few_steps() -> None:
    x = leaf(3.0, -4.0, 5.0)
    scale = pg.tensor([1.0, 10.0, 100.0], dtype=pg.float64)
    optimizer = optim.LBFGS([x], lr=1, max_iter=50, tolerance_change=0)
    minimize(optimizer, lambda: (scale * x * x).sum(), 1)
    assert x.tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert optimizer.state[x]["n_iter"] < 25


def test_lbfgs_evaluates_no_more_often_than_allowed() -> None:
    x = leaf(-1.2, 1.0)
    optimizer = optim.LBFGS([x], lr=1e-3, max_iter=100, max_eval=7)
    calls = minimize(optimizer, lambda: ((1 - x[0]) ** 2 + (x[1] - x[0] ** 2) ** 2).sum(), 1)
    assert calls == 7 == optimizer.state[x]["func_evals"]


def test_lbfgs_stays_where_the_gradient_is_nothing() -> None:
    x = leaf(0.0)
    assert minimize(optim.LBFGS([x]), lambda: (x * x).sum(), 1) == 1
    assert x.tolist() == [0.0]


def test_lbfgs_takes_complex_parameters_and_unused_ones() -> None:
    z = pg.tensor([1 + 2j], dtype=pg.complex128, requires_grad=True)
    unused = leaf(1.0)
    minimize(optim.LBFGS([z, unused]), lambda: ((z - 3j).abs() ** 2).sum(), 2)
    assert z.tolist()[0] == pytest.approx(3j, abs=1e-6)
    assert unused.tolist() == [1.0]


# fused steps --------------------------------------------------------------------------------------

SHAPES = ((3, 4), (), (0, 5), (150, 200))


def tensors(dtype: Any, above: float = 0.1) -> tuple[Any, ...]:
    return tuple(pg.rand(*shape, dtype=pg.float64).to(dtype) + above for shape in SHAPES)


def copies(group: tuple[Any, ...] | None) -> Any:
    return None if group is None else tuple([each.clone() for each in group])


@pytest.mark.parametrize("dtype", [pg.float64, pg.float32], ids=str)
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_kernels_do_what_the_bodies_mean(
    dtype: Any, maximize: bool, centred: bool, momentum: float
) -> None:
    averages = tensors(dtype) if centred else None
    momenta = tensors(dtype) if momentum else None
    state = [tensors(dtype), tensors(dtype), tensors(dtype, 2.0), averages, momenta]
    calls = [
        (rmsprop_step, state, (0.1, 0.9, 1e-3, 0.2, momentum, maximize)),
        (adagrad_step, state[:3], ((1, 5, 2, 9), 0.1, 0.2, 1e-3, 0.2, maximize)),
    ]
    for step, groups, params in calls:
        other = [copies(group) for group in groups]
        groups = [copies(group) for group in groups]
        with pg.no_grad():
            step(*groups, *params)
            step.operator.body(*other, *params)
        for group, twin in zip(groups, other, strict=True):
            for fast, meant in zip(group or (), twin or (), strict=True):
                assert (fast - meant).abs().sum() <= 1e-6 * (1 + meant.abs().sum())


# all of them --------------------------------------------------------------------------------------

ALL = {
    optim.RMSprop: {"centered": True, "momentum": 0.9},
    optim.Adagrad: {"lr_decay": 0.1},
    optim.Adadelta: {},
    optim.Adamax: {},
    optim.NAdam: {},
    optim.RAdam: {},
    optim.Rprop: {},
    optim.ASGD: {"t0": 2},
}


@pytest.mark.parametrize("kind", [*ALL, optim.Adafactor])
def test_a_restored_optimizer_goes_on(kind: Any) -> None:
    extra = ALL.get(kind, {})
    p = leaf(*START)
    optimizer = kind([p], lr=0.1, **extra)
    train(optimizer, [p], range(5))
    q = p.detach().clone().requires_grad_()
    restored = kind([q], lr=0.7)
    restored.load_state_dict(optimizer.state_dict())
    train(optimizer, [p], range(5, 9))
    train(restored, [q], range(5, 9))
    assert p.tolist() == pytest.approx(q.tolist(), rel=1e-7)


@pytest.mark.parametrize("kind", ALL)
def test_a_complex_parameter_is_optimized_as_two_real_ones(kind: Any) -> None:
    z = pg.tensor([1 + 2j, -3 + 0.5j], dtype=pg.complex128, requires_grad=True)
    parts = [leaf(1.0, -3.0), leaf(2.0, 0.5)]
    ours, theirs = kind([z], lr=0.1, **ALL[kind]), kind(parts, lr=0.1, **ALL[kind])
    for step in range(5):
        z.grad = pg.tensor([1 - 2j, step + 1j], dtype=pg.complex128)
        parts[0].grad = pg.tensor([1.0, step], dtype=pg.float64)
        parts[1].grad = pg.tensor([-2.0, 1.0], dtype=pg.float64)
        ours.step()
        theirs.step()
    assert z.detach().real.tolist() == pytest.approx(parts[0].tolist())
    assert z.detach().imag.tolist() == pytest.approx(parts[1].tolist())


@pytest.mark.parametrize("kind", [*ALL, optim.Adafactor])
def test_a_saved_state_counts_in_tensors_as_pytorch_does(kind: Any) -> None:
    p, bare = leaf(1.0), leaf(1.0)
    optimizer = kind([p, bare], **ALL.get(kind, {}))
    train(optimizer, [p], range(3))
    saved = optimizer.state_dict()["state"][0]
    assert (saved["step"].dtype, saved["step"].item()) == (pg.float32, 3.0)
    assert optimizer.state[p]["step"] == 3
    assert bare.tolist() == [1.0]


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda p: optim.RMSprop([p], alpha=-1), ArgumentError, "RMSprop: alpha: expected at l"),
        (lambda p: optim.Adagrad([p], lr_decay=-1), ArgumentError, "Adagrad: lr_decay"),
        (lambda p: optim.Adadelta([p], rho=2), ArgumentError, "rho: expected from 0 to 1"),
        (lambda p: optim.Adamax([p], betas=(0.9, 1)), ArgumentError, r"Adamax: betas\[1\]"),
        (lambda p: optim.NAdam([p], momentum_decay=-1), ArgumentError, "momentum_decay"),
        (lambda p: optim.RAdam([p], eps=-1), ArgumentError, "RAdam: eps"),
        (lambda p: optim.Rprop([p], etas=(1.5, 2)), ArgumentError, "etas: expected 0 < etas"),
        (lambda p: optim.ASGD([p], differentiable=True), ArgumentError, "write in place"),
        (lambda p: optim.Adagrad([p], foreach=True, fused=True), ArgumentError, "no more than one"),
        (lambda p: optim.Adafactor([p], d=0.5), ArgumentError, "d: expected at least 1"),
        (lambda p: optim.Adafactor([p], beta2_decay=1), ArgumentError, "beta2_decay: expected at"),
        (lambda p: optim.Adafactor([p], eps=(None, -1)), ArgumentError, "eps: expected numbers"),
        (lambda p: optim.Muon([p]), ShapeError, "Muon: params: expected matrices"),
        (lambda p: optim.Muon([p], adjust_lr_fn="x"), ArgumentError, "adjust_lr_fn: expected one"),
        (lambda p: optim.Muon([p], ns_coefficients=(1, 2)), ArgumentError, "three numbers"),
        (lambda p: optim.LBFGS([p], line_search_fn="x"), ArgumentError, "'strong_wolfe', got x"),
        (lambda p: optim.LBFGS([{"params": p}, {"params": leaf(1)}]), ArgumentError, "one group"),
    ],
)
def test_a_wrong_argument_is_refused(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        make(leaf(1.0))


def test_adafactor_refuses_complex_parameters() -> None:
    z = pg.tensor([1j], requires_grad=True)
    z.grad = pg.tensor([1j])
    with pytest.raises(DtypeError, match="expected real parameters"):
        optim.Adafactor([z]).step()


@pytest.mark.parametrize("kind", [pg.optim.Adam, pg.optim.AdamW])
def test_adam_refuses_rates_that_are_tensors_and_numbers(kind):
    params = [pg.ones(2, requires_grad=True)]
    with pytest.raises(ArgumentError, match="all numbers, or all tensors"):
        kind(params, betas=(0.9, pg.tensor(0.99)))
    for options in ({"lr": pg.tensor(0.1)}, {"betas": (pg.tensor(0.9), pg.tensor(0.99))}):
        with pytest.raises(ArgumentError, match="without capturable"):
            kind(params, foreach=True, **options)
        kind(params, **options)
