"""autocast: who computes in what, where it ends, and that nothing of it stays; GradScaler."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import plugrad as pg
from plugrad import amp
from plugrad import nn as pnn
from plugrad.dispatch import operators
from plugrad.errors import ArgumentError, AutogradError, DtypeError

F = pnn.functional


def operands(dtype: Any = pg.float32) -> tuple[Any, Any]:
    pg.manual_seed(0)
    return pg.randn(3, 4, dtype=dtype), pg.randn(4, 4, dtype=dtype)


@pytest.mark.parametrize(
    "product",
    [
        lambda x, w: x @ w,
        lambda x, w: F.linear(x, w, w[0]),
        lambda x, w: F.conv1d(x[None], w[:3, :3, None]),
        lambda x, w: F.scaled_dot_product_attention(x[None], w[None], w[None]),
    ],
)
def test_products_compute_in_the_lower_precision(product: Any) -> None:
    x, w = operands()
    assert product(x, w).dtype is pg.float32  # planned before
    with pg.autocast("cpu"):
        low = product(x, w)
    assert low.dtype is pg.bfloat16
    assert pg.equal(low, product(x.bfloat16(), w.bfloat16()))
    assert product(x, w).dtype is pg.float32


def test_losses_compute_in_float32_and_the_rest_in_what_it_is_given() -> None:
    x, w = operands()
    with pg.autocast("cpu"):
        y = x @ w
        assert F.cross_entropy(y, pg.tensor([0, 1, 2])).dtype is pg.float32
        assert F.mse_loss(y, y).dtype is pg.float32
        assert y.tanh().dtype is pg.bfloat16
        assert (y + x[:, :4]).dtype is pg.float32


def test_float64_and_integers_stay() -> None:
    x, w = operands(pg.float64)
    with pg.autocast("cpu"):
        assert (x @ w).dtype is pg.float64
        assert (x.long() @ w.long()).dtype is pg.int64


def test_gradients_come_in_the_dtype_of_the_parameters() -> None:
    layer = pnn.Linear(4, 2)
    x, _ = operands()
    with pg.autocast("cpu"):
        y = layer(x)
    y.float().sum().backward()
    assert layer.weight.grad.dtype is pg.float32
    assert pg.allclose(layer.weight.grad, x.sum(0).expand(2, 4), rtol=0.02, atol=0.02)


def test_blocks_nest_and_can_be_switched_off() -> None:
    x, w = operands()
    with pg.autocast("cpu"):
        with pg.autocast("cpu", enabled=False):
            assert (x @ w).dtype is pg.float32
            assert not pg.is_autocast_enabled("cpu")
        with pg.autocast("cpu", dtype=pg.float16):
            assert (x @ w).dtype is pg.float16
            assert pg.get_autocast_dtype("cpu") is pg.float16
        assert (x @ w).dtype is pg.bfloat16
        assert pg.is_autocast_enabled("cpu")
        assert not pg.is_autocast_enabled("cuda")
    assert not pg.is_autocast_enabled("cpu")
    assert pg.get_autocast_dtype("cpu") is pg.bfloat16


def test_it_decorates_functions() -> None:
    @pg.autocast("cpu")
    def product(x: Any, w: Any) -> Any:
        return x @ w

    assert product(*operands()).dtype is pg.bfloat16
    assert (operands()[0] @ operands()[1]).dtype is pg.float32


def test_lists_of_another_kind_of_device_change_nothing_here() -> None:
    x, w = operands()
    with pg.cuda.amp.autocast():
        assert (x @ w).dtype is pg.float32


def test_other_threads_compute_as_before() -> None:
    x, w = operands()
    found: list[Any] = []
    with pg.autocast("cpu"):
        thread = threading.Thread(target=lambda: found.append((x @ w).dtype))
        thread.start()
        thread.join()
        assert (x @ w).dtype is pg.bfloat16
    assert found == [pg.float32]


def test_bodies_of_operators_are_left_alone() -> None:
    x, _ = operands()
    square = (x @ x.T).abs() + pg.eye(3)
    before = pg.linalg.pinv(square)
    with pg.autocast("cpu"):
        assert pg.equal(pg.linalg.pinv(square), before)


def test_nothing_stays_of_a_block_that_has_ended() -> None:
    state = {
        name: (operator.plans, operator.prepare, operator.body)
        for name, operator in operators.items()
    }
    with pg.autocast("cpu"):
        assert operators["matmul"].plans is not state["matmul"][0]
    assert state == {
        name: (operator.plans, operator.prepare, operator.body)
        for name, operator in operators.items()
    }
    assert all(type(operator.plans) is dict for operator in operators.values())
    assert all(operators[name].plans is plans for name, (plans, _, _) in state.items())


def test_what_is_no_lower_precision_disables_it() -> None:
    with pytest.warns(UserWarning, match="float32 is not a lower precision"):
        block = pg.autocast("cpu", dtype=pg.float32)
    x, w = operands()
    with block:
        assert (x @ w).dtype is pg.float32


def test_the_kind_of_device_must_be_named() -> None:
    with pytest.raises(ArgumentError, match="device_type: expected a name"):
        pg.autocast(True)  # type: ignore[arg-type]


def test_a_function_is_called_with_what_it_asks_for() -> None:
    seen: list[Any] = []

    class Product(pg.autograd.Function):
        @staticmethod
        @amp.custom_fwd(device_type="cpu", cast_inputs=pg.float32)
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            ctx.save_for_backward(x, w)
            seen.append((x.dtype, (x @ w).dtype))
            return x @ w

        @staticmethod
        @amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, g: Any) -> Any:
            x, w = ctx.saved_tensors
            seen.append((g @ w.T).dtype)
            return g @ w.T, x.T @ g

    x, w = operands()
    w.requires_grad_()
    with pg.autocast("cpu"):
        y = Product.apply(x.bfloat16(), w)
        y.sum().backward()
    assert seen == [(pg.float32, pg.float32), pg.float32]
    assert w.grad.dtype is pg.float32


# GradScaler ---------------------------------------------------------------------------------------


def parameter() -> tuple[Any, Any]:
    p = pg.ones(2, requires_grad=True)
    return p, pg.optim.SGD([p], lr=0.5)


def step(scaler: Any, p: Any, optimizer: Any, factor: float = 1.0) -> None:
    optimizer.zero_grad()
    scaler.scale((p * factor).sum()).backward()
    scaler.step(optimizer)
    scaler.update()


def test_a_scaled_step_is_the_step_itself() -> None:
    p, optimizer = parameter()
    step(amp.GradScaler(), p, optimizer)
    assert p.tolist() == [0.5, 0.5]
    assert p.grad.tolist() == [1.0, 1.0]


def test_the_scale_grows_with_success_and_shrinks_with_overflow() -> None:
    p, optimizer = parameter()
    scaler = amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    scales = []
    for factor in (1.0, 1.0, float("inf"), 1.0, float("nan"), 1.0, 1.0):
        step(scaler, p, optimizer, factor)
        scales.append(scaler.get_scale())
    assert scales == [8, 16, 8, 8, 4, 4, 8]
    assert p.tolist() == [1 - 5 * 0.5] * 2  # the two overflows were left out


def test_gradients_may_be_divided_before_the_step() -> None:
    p, optimizer = parameter()
    scaler = amp.GradScaler(init_scale=4.0)
    scaler.scale(p.sum()).backward()
    assert p.grad.tolist() == [4.0, 4.0]
    scaler.unscale_(optimizer)
    assert p.grad.tolist() == [1.0, 1.0]
    scaler.step(optimizer)
    assert p.tolist() == [0.5, 0.5]
    with pytest.raises(AutogradError, match="unscale_: called after step"):
        scaler.unscale_(optimizer)
    with pytest.raises(AutogradError, match="step: called already"):
        scaler.step(optimizer)


def test_a_loss_in_float16_is_scaled_without_overflow_of_the_scale() -> None:
    loss = pg.tensor(2.0**-10, dtype=pg.float16)
    scaled = amp.GradScaler().scale([loss, (loss,)])
    assert [scaled[0].item(), scaled[1][0].item()] == [64.0, 64.0]
    assert scaled[0].dtype is pg.float16


def test_a_scaler_is_saved_and_restored() -> None:
    p, optimizer = parameter()
    scaler = amp.GradScaler(init_scale=8.0, growth_interval=2)
    step(scaler, p, optimizer)
    other = amp.GradScaler()
    other.load_state_dict(scaler.state_dict())
    step(other, p, optimizer)
    assert other.get_scale() == 16.0
    with pytest.raises(AutogradError, match="the state is empty"):
        other.load_state_dict(amp.GradScaler(enabled=False).state_dict())


def test_a_disabled_scaler_lets_everything_pass() -> None:
    p, optimizer = parameter()
    scaler = pg.cuda.amp.GradScaler(enabled=False)
    step(scaler, p, optimizer)
    assert (p.tolist(), scaler.get_scale(), scaler.is_enabled()) == ([0.5, 0.5], 1.0, False)


def test_factors_are_read_and_changed() -> None:
    scaler = amp.GradScaler()
    scaler.set_growth_factor(3.0)
    scaler.set_backoff_factor(0.1)
    scaler.set_growth_interval(7)
    assert scaler.get_growth_factor() == 3.0
    assert scaler.get_backoff_factor() == 0.1
    assert scaler.get_growth_interval() == 7


def test_what_a_scaler_cannot_do_is_refused() -> None:
    _, optimizer = parameter()
    scaler = amp.GradScaler()
    with pytest.raises(AutogradError, match="update: no step"):
        scaler.update()
    with pytest.raises(ArgumentError, match="closure: expected none"):
        scaler.step(optimizer, lambda: None)
    with pytest.raises(ArgumentError, match="outputs: expected a tensor"):
        scaler.scale(3)
    scaler.unscale_(optimizer)
    with pytest.raises(AutogradError, match="unscale_: called already"):
        scaler.unscale_(optimizer)
    with pytest.raises(ArgumentError, match="growth_factor: expected above 1"):
        amp.GradScaler(growth_factor=1.0)
    with pytest.raises(ArgumentError, match="backoff_factor: expected below 1"):
        amp.GradScaler(backoff_factor=1.0)
    half = pg.ones(2, dtype=pg.float16, requires_grad=True)
    half.grad = pg.ones(2, dtype=pg.float16)
    with pytest.raises(DtypeError, match=r"those of parameters in float32, got .*float16"):
        scaler.unscale_(pg.optim.SGD([half]))
