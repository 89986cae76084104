"""Optimizers: every option against the formula in plain Python floats, groups, state, and what is
refused.
"""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from typing import Any

import pytest

import plugrad as pg
from plugrad import optim
from plugrad.errors import ArgumentError, DtypeError, KindError, ShapeError, VersionError
from plugrad.ops.optimizer import adam_step, sgd_step

STEPS = 50
START = (0.7, -1.3, 2.0)


def gradient(p: float, step: int) -> float:
    """Some function of the parameter that also changes from step to step."""
    return 0.3 * p + math.sin(step + 2 * p)


def sgd_by_hand(
    p: float,
    lr: float,
    momentum: float = 0,
    dampening: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    maximize: bool = False,
) -> float:
    m = None
    for step in range(STEPS):
        g = gradient(p, step) * (-1 if maximize else 1) + weight_decay * p
        if momentum:
            m = g if m is None else momentum * m + (1 - dampening) * g
            g = g + momentum * m if nesterov else m
        p -= lr * g
    return p


def adam_by_hand(
    p: float,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float = 0,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled: bool = False,
) -> float:
    m = v = top = 0.0
    for step in range(STEPS):
        g = gradient(p, step) * (-1 if maximize else 1)
        if decoupled:
            p -= lr * weight_decay * p
        else:
            g += weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        top = max(top, v) if amsgrad else v
        unbiased = m / (1 - betas[0] ** (step + 1))
        p -= lr * unbiased / (math.sqrt(top / (1 - betas[1] ** (step + 1))) + eps)
    return p


def leaf(*numbers: float, dtype: Any = pg.float64) -> Any:
    return pg.tensor(list(numbers), dtype=dtype, requires_grad=True)


def train(optimizer: Any, params: list[Any], steps: Any = range(STEPS)) -> None:
    for step in steps:
        for param in params:
            param.grad = pg.tensor(
                [gradient(p, step) for p in param.detach().tolist()], dtype=param.dtype
            )
        optimizer.step()


def options(**values: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


SGD_OPTIONS = [
    option
    for option in options(
        momentum=(0, 0.9),
        dampening=(0, 0.3),
        weight_decay=(0, 0.05),
        nesterov=(False, True),
        maximize=(False, True),
    )
    if not option["nesterov"] or (option["momentum"] and not option["dampening"])
]
ADAM_OPTIONS = options(weight_decay=(0, 0.05), amsgrad=(False, True), maximize=(False, True))


@pytest.mark.parametrize("option", SGD_OPTIONS, ids=str)
def test_sgd_follows_its_formula(option: dict[str, Any]) -> None:
    p = leaf(*START)
    train(optim.SGD([p], lr=0.03, **option), [p])
    expected = [sgd_by_hand(each, 0.03, **option) for each in START]
    assert p.tolist() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("decoupled", [False, True], ids=["Adam", "AdamW"])
@pytest.mark.parametrize("option", ADAM_OPTIONS, ids=str)
def test_adam_follows_its_formula(option: dict[str, Any], decoupled: bool) -> None:
    p = leaf(*START)
    fixed = {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-6}
    kind = optim.AdamW if decoupled else optim.Adam
    train(kind([p], **fixed, **option), [p])
    expected = [adam_by_hand(each, **fixed, **option, decoupled=decoupled) for each in START]
    assert p.tolist() == pytest.approx(expected, rel=1e-9)


SHAPES = ((3, 4), (), (0, 5), (150, 200))


def tensors(dtype: Any = pg.float64) -> tuple[Any, ...]:
    return tuple(pg.rand(*shape, dtype=pg.float64).to(dtype) + 0.1 for shape in SHAPES)


def step_both_ways(step: Any, state: list[Any], *params: Any) -> list[tuple[Any, Any]]:
    """The state after the operator's kernel and after its body, tensor by tensor."""
    other = copy.deepcopy(state)
    with pg.no_grad():
        step(*state, *params)
        step.operator.body(*other, *params)
    pairs = zip(state, other, strict=True)
    return [pair for group, twin in pairs if group for pair in zip(group, twin, strict=True)]


@pytest.mark.parametrize("dtype", [pg.float64, pg.float32], ids=str)
@pytest.mark.parametrize("option", SGD_OPTIONS, ids=str)
def test_the_kernel_of_sgd_does_what_the_body_means(option: dict[str, Any], dtype: Any) -> None:
    momenta = tensors(dtype) if option["momentum"] else None
    state = [tensors(dtype), tensors(dtype), momenta]
    for fast, meant in step_both_ways(sgd_step, state, 0.1, *option.values()):
        assert (fast - meant).abs().sum() <= 1e-6 * (1 + meant.abs().sum())


@pytest.mark.parametrize("dtype", [pg.float64, pg.float32], ids=str)
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("option", ADAM_OPTIONS, ids=str)
def test_the_kernel_of_adam_does_what_the_body_means(
    option: dict[str, Any], decoupled: bool, dtype: Any
) -> None:
    maxima = tensors(dtype) if option["amsgrad"] else None
    state = [*[tensors(dtype) for _ in range(4)], maxima]
    steps = (1, 7, 2, 30)
    decay, maximize = option["weight_decay"], option["maximize"]
    params = (steps, 0.1, 0.9, 0.99, 1e-6, decay, decoupled, maximize)
    for fast, meant in step_both_ways(adam_step, state, *params):
        assert (fast - meant).abs().sum() <= 1e-6 * (1 + meant.abs().sum())


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16], ids=str)
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_half_precision_parameters_are_optimized_too(kind: Any, dtype: Any) -> None:
    p = leaf(1.0, -1.0, dtype=dtype)
    optimizer = kind([p], lr=0.5, **({} if kind is optim.SGD else {"eps": 1e-3}))
    p.grad = pg.tensor([1.0, -1.0], dtype=dtype)
    optimizer.step()
    assert p.tolist() == pytest.approx([0.5, -0.5], abs=5e-3)
    assert p.dtype is dtype


@pytest.mark.parametrize("kind", [optim.SGD, optim.AdamW])
def test_a_complex_parameter_is_optimized_as_two_real_ones(kind: Any) -> None:
    z = pg.tensor([1 + 2j, -3 + 0.5j], dtype=pg.complex128, requires_grad=True)
    parts = [leaf(1.0, -3.0), leaf(2.0, 0.5)]
    extra = {"momentum": 0.9} if kind is optim.SGD else {"amsgrad": True}
    ours, theirs = kind([z], lr=0.1, **extra), kind(parts, lr=0.1, **extra)
    for step in range(5):
        z.grad = pg.tensor([1 - 2j, step + 1j], dtype=pg.complex128)
        parts[0].grad = pg.tensor([1.0, step], dtype=pg.float64)
        parts[1].grad = pg.tensor([-2.0, 1.0], dtype=pg.float64)
        ours.step()
        theirs.step()
    assert z.detach().real.tolist() == pytest.approx(parts[0].tolist())
    assert z.detach().imag.tolist() == pytest.approx(parts[1].tolist())
    assert all(
        tensor.is_complex() for tensor in ours.state[z].values() if isinstance(tensor, pg.Tensor)
    )


def test_a_view_with_gaps_is_optimized_in_place() -> None:
    whole = pg.zeros(4, 6, dtype=pg.float64)
    p = whole[:, ::2].requires_grad_()
    p.grad = pg.ones(4, 3, dtype=pg.float64)
    optim.SGD([p], lr=1.0).step()
    assert whole.sum(0).tolist() == [-4.0, 0.0] * 3


def test_parameters_without_gradient_stay_and_count_no_step() -> None:
    used, unused = leaf(1.0), leaf(1.0)
    optimizer = optim.Adam([used, unused])
    used.grad = pg.ones(1, dtype=pg.float64)
    optimizer.step()
    assert unused.tolist() == [1.0]
    assert list(optimizer.state) == [used]
    unused.grad = pg.ones(1, dtype=pg.float64)
    optimizer.step()
    assert [optimizer.state[each]["step"] for each in (used, unused)] == [2, 1]


def test_a_step_without_any_gradient_changes_nothing() -> None:
    p = leaf(1.0)
    for kind in (optim.SGD, optim.Adam):
        optimizer = kind([p])
        optimizer.step()
        assert (p.tolist(), dict(optimizer.state)) == ([1.0], {})


def test_a_late_parameter_fills_its_momentum_without_dampening() -> None:
    early, late = leaf(0.0), leaf(0.0)
    optimizer = optim.SGD([early, late], lr=1.0, momentum=0.5, dampening=0.5)
    early.grad = pg.ones(1, dtype=pg.float64)
    optimizer.step()
    late.grad = pg.ones(1, dtype=pg.float64)
    optimizer.step()
    assert (early.tolist(), late.tolist()) == ([-2.0], [-1.0])


def test_groups_have_options_of_their_own() -> None:
    slow, fast = leaf(0.0), leaf(0.0)
    optimizer = optim.SGD([{"params": [slow]}, {"params": fast, "lr": 1.0}], lr=0.1)
    slow.grad = fast.grad = pg.ones(1, dtype=pg.float64)
    optimizer.step()
    assert (slow.tolist(), fast.tolist()) == ([-0.1], [-1.0])


def test_a_group_can_join_later() -> None:
    first, second = leaf(0.0), leaf(0.0)
    optimizer = optim.SGD([first], lr=0.1)
    optimizer.add_param_group({"params": [second], "lr": 0.5})
    second.grad = pg.ones(1, dtype=pg.float64)
    optimizer.step()
    assert second.tolist() == [-0.5]
    assert optimizer.param_groups[1]["momentum"] == 0


def test_names_of_parameters_are_kept() -> None:
    optimizer = optim.SGD([("a", leaf(0.0)), ("b", leaf(1.0))])
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["a", "b"]


def test_the_learning_rate_can_be_changed_between_steps_and_be_a_tensor() -> None:
    p = leaf(0.0)
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = pg.ones(1, dtype=pg.float64)
    optimizer.param_groups[0]["lr"] = pg.tensor(0.5)
    optimizer.step()
    assert p.tolist() == [-0.5]


def test_zero_grad_forgets_or_zeroes() -> None:
    p, bare = leaf(1.0), leaf(1.0)
    optimizer = optim.SGD([p, bare])
    p.grad = pg.ones(1, dtype=pg.float64)
    optimizer.zero_grad(set_to_none=False)
    assert (p.grad.tolist(), bare.grad) == ([0.0], None)
    optimizer.zero_grad()
    assert p.grad is None


def test_step_returns_the_loss_of_its_closure() -> None:
    p = leaf(2.0)
    optimizer = optim.SGD([p], lr=0.25)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with pg.no_grad():
        assert optimizer.step(closure).item() == 4.0
    assert p.tolist() == [1.0]


def test_a_step_is_seen_by_whoever_saved_the_parameter() -> None:
    p = leaf(2.0)
    loss = (p * p).sum()
    p.grad = pg.ones(1, dtype=pg.float64)
    optim.Adam([p]).step()
    with pytest.raises(VersionError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        (optim.SGD, {"momentum": 0.9, "dampening": 0.1}),
        (optim.Adam, {"amsgrad": True}),
        (optim.AdamW, {}),
    ],
)
def test_a_restored_optimizer_goes_on_as_if_nothing_had_been(kind: Any, extra: Any) -> None:
    p = leaf(*START)
    optimizer = kind([p], lr=0.1, **extra)
    train(optimizer, [p], range(3))
    q = p.detach().clone().requires_grad_()
    restored = kind([q], lr=0.7)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(optimizer, [p], range(3, 9))
    train(restored, [q], range(3, 9))
    assert p.tolist() == q.tolist()
    assert restored.param_groups[0]["lr"] == 0.1


def test_a_loaded_state_shares_no_memory_with_the_dict() -> None:
    p, q = leaf(1.0), leaf(1.0)
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    train(optimizer, [p], range(1))
    other = optim.SGD([q], lr=0.1, momentum=0.9)
    other.load_state_dict(optimizer.state_dict())
    before = optimizer.state[p]["momentum_buffer"].tolist()
    train(other, [q], range(1, 3))
    assert optimizer.state[p]["momentum_buffer"].tolist() == before


def test_a_state_dict_has_positions_in_place_of_parameters() -> None:
    a, b, c = leaf(1.0), leaf(2.0), leaf(3.0)
    optimizer = optim.Adam([{"params": [a, b]}, {"params": [c], "lr": 0.5}])
    train(optimizer, [a, c], range(2))
    saved = optimizer.state_dict()
    assert [group["params"] for group in saved["param_groups"]] == [[0, 1], [2]]
    assert sorted(saved["state"]) == [0, 2]
    assert set(saved["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}


def test_a_state_with_its_steps_in_tensors_loads() -> None:
    p = leaf(1.0)
    optimizer = optim.Adam([p])
    train(optimizer, [p], range(4))
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][0]["step"] = pg.tensor(4.0)
    optimizer.load_state_dict(saved)
    assert optimizer.state[p]["step"] == 4


def test_a_loaded_state_takes_the_dtype_of_its_parameter() -> None:
    p, q = leaf(1.0), leaf(1.0, dtype=pg.float32)
    optimizer, narrow = optim.Adam([p]), optim.Adam([q])
    train(optimizer, [p], range(1))
    narrow.load_state_dict(optimizer.state_dict())
    assert narrow.state[q]["exp_avg"].dtype is pg.float32


def test_an_optimizer_can_be_pickled() -> None:
    p = leaf(*START)
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    train(optimizer, [p], range(2))
    twin = pickle.loads(pickle.dumps(optimizer))
    (q,) = twin.param_groups[0]["params"]
    train(optimizer, [p], range(2, 4))
    train(twin, [q], range(2, 4))
    assert p.tolist() == q.tolist()


def test_users_write_optimizers_of_their_own() -> None:
    class Sign(optim.Optimizer):
        def __init__(self, params: Any, lr: float = 1.0) -> None:
            super().__init__(params, {"lr": lr})

        @pg.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    p -= p.grad.sign() * group["lr"]
                    self.state[p]["count"] = self.state[p].get("count", 0) + 1

    p = leaf(1.0, -1.0)
    optimizer = Sign([p])
    p.grad = pg.tensor([3.0, -5.0], dtype=pg.float64)
    optimizer.step()
    assert (p.tolist(), optimizer.state[p]) == ([0.0, 0.0], {"count": 1})


def test_repr_lists_the_options_of_each_group() -> None:
    optimizer = optim.SGD([{"params": leaf(1.0)}, {"params": leaf(1.0), "lr": 2.0}], lr=0.5)
    assert repr(optimizer).splitlines()[:3] == ["SGD (", "Parameter Group 0", "    dampening: 0"]
    assert "    lr: 2.0" in repr(optimizer)


# what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: optim.SGD(leaf(1.0)), KindError, "SGD: params: expected an iterable of tensors"),
        (lambda: optim.SGD([]), ArgumentError, "SGD: params: expected at least one tensor"),
        (lambda: optim.SGD([3]), KindError, r"params\[0\]: expected a tensor, got int"),
        (lambda: optim.SGD([leaf(1.0) * 2]), ArgumentError, "a leaf of the graph, got .*Mul"),
        (lambda: optim.SGD([leaf(1.0)], lr=-1), ArgumentError, "lr: expected at least 0, got -1"),
        (lambda: optim.SGD([leaf(1.0)], momentum=-1), ArgumentError, "momentum: expected at least"),
        (lambda: optim.SGD([leaf(1.0)], nesterov=True), ArgumentError, "a momentum above 0"),
        (lambda: optim.Adam([leaf(1.0)], eps=-1), ArgumentError, "Adam: eps"),
        (lambda: optim.Adam([leaf(1.0)], betas=(0.9, 1.0)), ArgumentError, r"betas\[1\]: expected"),
        (lambda: optim.AdamW([leaf(1.0)], weight_decay=-1), ArgumentError, "AdamW: weight_decay"),
        (lambda: optim.Adam([leaf(1.0)], differentiable=True), ArgumentError, "write in place"),
        (lambda: optim.SGD([{"params": {leaf(1.0)}}]), KindError, "an ordered collection"),
        (lambda: optim.SGD([("a", leaf(1.0)), leaf(1.0)]), ArgumentError, "1 names for 2 tensors"),
    ],
)
def test_a_wrong_argument_is_refused(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        make()


def test_a_parameter_belongs_to_one_group_once() -> None:
    p = leaf(1.0)
    with pytest.raises(ArgumentError, match="in this or another group already"):
        optim.SGD([p, p])
    optimizer = optim.SGD([p])
    with pytest.raises(ArgumentError, match="in this or another group already"):
        optimizer.add_param_group({"params": [p]})


def test_a_group_is_a_dict() -> None:
    with pytest.raises(KindError, match="param_group: expected a dict, got list"):
        optim.SGD([leaf(1.0)]).add_param_group([leaf(1.0)])  # type: ignore[arg-type]


def test_names_are_given_in_all_groups_or_in_none() -> None:
    optimizer = optim.SGD([("a", leaf(1.0))])
    with pytest.raises(ArgumentError, match="with names, as in the other groups"):
        optimizer.add_param_group({"params": [leaf(1.0)]})


def test_a_state_of_other_groups_is_refused_and_nothing_changes() -> None:
    p = leaf(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    foreign = optim.SGD([leaf(1.0), leaf(1.0)], lr=0.2).state_dict()
    with pytest.raises(ArgumentError, match=r"expected groups of \[1\] parameters.*got .*\[2\]"):
        optimizer.load_state_dict(foreign)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_state_of_another_shape_or_dtype_is_refused() -> None:
    p = leaf(1.0, 2.0)
    p.grad = pg.ones(2, dtype=pg.float64)
    optimizer = optim.SGD([p], momentum=0.9)
    optimizer.state[p]["momentum_buffer"] = pg.zeros(3, dtype=pg.float64)
    with pytest.raises(ShapeError, match=r"sgd_step: momenta: expected \(2,\).*got \(3,\)"):
        optimizer.step()
    optimizer.state[p]["momentum_buffer"] = pg.zeros(2, dtype=pg.float32)
    with pytest.raises(DtypeError, match=r"sgd_step: momenta: expected plugrad.float64"):
        optimizer.step()


def test_step_must_be_defined() -> None:
    with pytest.raises(NotImplementedError, match="Optimizer does not define step"):
        optim.Optimizer([leaf(1.0)], {}).step()
