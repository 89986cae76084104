"""Levels 3 and 4 of the kit: what sound backends do stays in the band, and each kind of fault that
shows in whole programs only is caught.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import plugrad
from plugrad.hooks import MemoryStatistics
from plugrad_conformance.cases.sampling import philox_block
from plugrad_conformance.models import EXERCISES, Exercise, Training, recorded
from plugrad_conformance.models.band import numbers, reference
from plugrad_conformance.models.bodies import bodies_alone
from plugrad_conformance.models.heavy import HEAVY
from plugrad_conformance.models.noise import rounding_noise
from plugrad_conformance.rows import Row, to_numpy
from plugrad_conformance.suite import (
    test_determinism,
    test_leaks,
    test_serialization,
    test_streams,
    test_threads,
    test_training,
)

Kernel = Callable[..., Any]

DEVICE = "numpy"


def exercise_named(name: str) -> Exercise:
    return next(each for each in EXERCISES if each.name == name)


def row_named(name: str) -> Row:
    return next(row for row in test_determinism.rows_with_values() if str(row) == name)


def sound(name: str) -> Kernel:
    """NumPy's own kernel, or service."""
    kernel = plugrad.backends.backend(DEVICE).resolve(name)
    assert kernel is not None
    return kernel


def repeatedly(question: Callable[..., None], *given: Any) -> None:
    """Ask again and again: a race is lost by chance."""
    for _ in range(100):
        question(*given)


@pytest.fixture
def sabotage() -> Iterator[Callable[..., None]]:
    """Puts kernels and services, each named after what it stands in for, before NumPy's."""

    def put(*kernels: Kernel) -> None:
        plugin = SimpleNamespace(**{each.__name__: plugrad.kernel(each) for each in kernels})
        plugrad.backends.register(plugin, name="saboteur", backend=DEVICE)

    yield put
    plugrad.backends.unregister("saboteur")


# the bands ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("exercise", EXERCISES, ids=str)
def test_recorded_curves_are_those_of_the_reference(exercise: Exercise) -> None:
    band, found = recorded(exercise), numbers(reference(exercise))
    for curve, values in zip((band.losses, band.held_out, band.moved), found, strict=True):
        assert values == pytest.approx(curve.values, rel=1e-8)


@pytest.mark.parametrize("exercise", EXERCISES, ids=str)
def test_band_is_wider_than_float32_strays_and_far_narrower_than_the_curve(
    exercise: Exercise,
) -> None:
    band = recorded(exercise)
    assert band.share(Training(exercise, DEVICE).run()) < 0.5
    fall = band.held_out.values[0] - band.held_out.values[-1]
    assert max(band.held_out.room) < 1e-3 * fall


def test_recorded_width_is_that_of_noisy_runs() -> None:
    exercise = exercise_named("mlp")
    with rounding_noise(0):
        noisy = Training(exercise, DEVICE, plugrad.float64).run()
    exact, strays = np.array(numbers(reference(exercise))[0]), recorded(exercise).losses.strays
    off = np.maximum.accumulate(np.abs(np.array(noisy.losses) - exact))
    assert np.all(off <= np.array(strays) * 1.1)
    assert off[-1] > strays[-1] / 10


def test_curve_that_is_not_a_number_is_outside() -> None:
    curve = recorded(exercise_named("mlp")).losses
    assert len(curve.outside([float("nan")] * 3)) == 3
    assert curve.outside(list(curve.values)) == []


def test_no_kernel_of_a_composite_is_asked_where_bodies_stand_alone(sabotage: Any) -> None:
    def softmax(x: Any, dim: Any) -> Any:
        raise RuntimeError("asked")

    def mul_(x: Any, y: Any) -> Any:
        raise RuntimeError("asked")

    sabotage(softmax, mul_)
    x = plugrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(RuntimeError, match="asked"):
        x.softmax(1)
    with bodies_alone(DEVICE):
        assert x.softmax(1).sum().item() == pytest.approx(2)
        turned = x.clone()
        turned.t().mul_(plugrad.tensor([1.0, 10.0]).unsqueeze(1))
    assert turned.tolist() == [[1.0, 20.0], [3.0, 40.0]]


# training -----------------------------------------------------------------------------------------


def running_variance_without_correction() -> list[Kernel]:
    whole = sound("batch_norm")

    def batch_norm(x: Any, weight: Any, bias: Any, eps: Any) -> Any:
        out, mean, variance = whole(x, weight, bias, eps)
        count = x.size // x.shape[1]
        return out, mean, variance * (count - 1) / count

    return [batch_norm]


def batch_norm_gradient_of_fixed_statistics() -> list[Kernel]:
    whole = sound("batch_norm_backward")

    def batch_norm_backward(g: Any, x: Any, weight: Any, eps: Any) -> Any:
        _, for_weight, for_bias = whole(g, x, weight, eps)
        axes = (0, *range(2, x.ndim))
        scale = weight / np.sqrt(x.var(axes) + eps)
        return g * scale.reshape(1, -1, *(1,) * (x.ndim - 2)), for_weight, for_bias

    return [batch_norm_backward]


def _adam(change: Callable[..., None]) -> list[Kernel]:
    def adam_step(
        params, grads, averages, squares, maxima, steps,
        lr, beta1, beta2, eps, weight_decay, decoupled, maximize,
    ):  # fmt: skip
        for i, (p, g, m, v) in enumerate(zip(params, grads, averages, squares, strict=True)):
            if decoupled:
                p *= 1 - lr * weight_decay
            else:
                g = g + p * weight_decay
            m += (g - m) * (1 - beta1)
            v += (g * g - v) * (1 - beta2)
            top = v if maxima is None else np.maximum(maxima[i], v, out=maxima[i])
            change(p, m, top, v, steps[i], lr, beta1, beta2, eps)
        return params, averages, squares, maxima

    return [adam_step]


def _step(p: Any, m: Any, root: Any, step: int, lr: float, beta1: float) -> None:
    p -= lr / (1 - beta1**step) * m / root


def adam_as_it_should_be() -> list[Kernel]:
    def step(p, m, top, v, step, lr, beta1, beta2, eps):
        _step(p, m, np.sqrt(top / (1 - beta2**step)) + eps, step, lr, beta1)

    return _adam(step)


def adam_with_eps_under_the_root() -> list[Kernel]:
    def step(p, m, top, v, step, lr, beta1, beta2, eps):
        _step(p, m, np.sqrt(top / (1 - beta2**step) + eps**2), step, lr, beta1)

    return _adam(step)


def adam_with_eps_before_the_correction() -> list[Kernel]:
    def step(p, m, top, v, step, lr, beta1, beta2, eps):
        _step(p, m, (np.sqrt(top) + eps) / np.sqrt(1 - beta2**step), step, lr, beta1)

    return _adam(step)


def adam_that_forgets_its_maxima() -> list[Kernel]:
    def step(p, m, top, v, step, lr, beta1, beta2, eps):
        _step(p, m, np.sqrt(v / (1 - beta2**step)) + eps, step, lr, beta1)

    return _adam(step)


def decay_through_the_averages() -> list[Kernel]:
    whole = sound("adam_step")

    def adam_step(
        params, grads, averages, squares, maxima, steps,
        lr, beta1, beta2, eps, weight_decay, decoupled, maximize,
    ):  # fmt: skip
        return whole(
            params, grads, averages, squares, maxima, steps,
            lr, beta1, beta2, eps, weight_decay, False, maximize,
        )  # fmt: skip

    return [adam_step]


def _sgd(**always: Any) -> list[Kernel]:
    whole = sound("sgd_step")

    def sgd_step(params, grads, momenta, lr, momentum, dampening, weight_decay, nesterov, maximize):
        options = {
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        } | always
        return whole(params, grads, momenta, lr, *options.values(), maximize)

    return [sgd_step]


def mask_without_its_scale() -> list[Kernel]:
    def keep_mask(seed: Any, offset: Any, p: Any, shape: Any, dtype: Any, device: Any) -> Any:
        drawn = test_streams.uniform(seed, offset, int(np.prod(shape)), plugrad.float32)
        return (drawn.reshape(shape) >= p).astype(dtype.name)

    return [keep_mask]


def stream_that_is_shifted() -> list[Kernel]:
    whole = sound("philox")

    def philox(seed: Any, offset: Any, count: Any, device: Any) -> Any:
        return whole(seed, offset + 4, count, device)

    return [philox]


def one_gradient_slightly_off() -> list[Kernel]:
    whole = sound("layer_norm_backward")

    def layer_norm_backward(g: Any, x: Any, weight: Any, axes: Any, eps: Any) -> Any:
        out, for_weight, for_bias = whole(g, x, weight, axes, eps)
        return out, for_weight * for_weight.dtype.type(1.002), for_bias

    return [layer_norm_backward]


def rows_named_twice_counted_once() -> list[Kernel]:
    def embedding_backward(g: Any, index: Any, count: Any, padding_idx: Any) -> Any:
        out = np.zeros((count, g.shape[-1]), g.dtype)
        out[index] = g
        if padding_idx is not None:
            out[padding_idx] = 0
        return out

    return [embedding_backward]


def gradient_in_every_row() -> list[Kernel]:
    whole = sound("embedding_backward")

    def embedding_backward(g: Any, index: Any, count: Any, padding_idx: Any) -> Any:
        return whole(g, index, count, padding_idx) + np.float32(1e-9)

    return [embedding_backward]


def products_of_ten_bits() -> list[Kernel]:
    whole = sound("matmul")

    def short(x: Any) -> Any:
        bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
        return ((bits + 0x1000) & 0xFFFFE000).view(np.float32)

    def matmul(x: Any, y: Any) -> Any:
        return whole(short(x), short(y)) if x.dtype == np.float32 else None

    return [matmul]


FAULTS: dict[str, tuple[str, Callable[[], list[Kernel]], str]] = {
    "running variance": ("cnn", running_variance_without_correction, "what only evaluation uses"),
    "BatchNorm's gradient": ("cnn", batch_norm_gradient_of_fixed_statistics, "look at the grad"),
    "eps under the root": ("cnn", adam_with_eps_under_the_root, "the optimizer's step"),
    "eps too early": ("cnn", adam_with_eps_before_the_correction, "the optimizer's step"),
    "coupled decay": ("cnn", decay_through_the_averages, "the optimizer's step"),
    "no decay": ("mlp", lambda: _sgd(weight_decay=0.0), "left the band"),
    "no nesterov": ("mlp", lambda: _sgd(nesterov=False), "the optimizer's step"),
    "no dampening": ("kinked_cnn", lambda: _sgd(dampening=0.0), "left the band"),
    "no maxima": ("gru", adam_that_forgets_its_maxima, "what changes later"),
    "unscaled dropout": ("mlp", mask_without_its_scale, "the initial weights"),
    "shifted stream": ("transformer", stream_that_is_shifted, "the initial weights"),
    "one gradient": ("transformer", one_gradient_slightly_off, "the way of norm|layer"),
    "rows named twice": ("embedding", rows_named_twice_counted_once, "look at the gradients"),
    "short products": ("gru", products_of_ten_bits, "left the band"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_training_that_goes_wrong_is_caught(fault: str, sabotage: Any) -> None:
    name, made, complaint = FAULTS[fault]
    sabotage(*made())
    with pytest.raises(AssertionError, match=complaint):
        test_training.test_model_learns_along_the_curve_of_the_reference(
            exercise_named(name), DEVICE
        )


def test_other_order_of_the_same_steps_is_no_fault(sabotage: Any) -> None:
    sabotage(*adam_as_it_should_be())
    for name in ("cnn", "gru"):
        test_training.test_model_learns_along_the_curve_of_the_reference(
            exercise_named(name), DEVICE
        )


def test_model_that_misses_its_goal_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Training, "evaluate", lambda self: (self.held_out[-1], 0.1))
    exercise = exercise_named("mlp")
    training = Training(exercise, DEVICE)
    monkeypatch.setattr(test_training, "trained", lambda *given: training)
    monkeypatch.setattr(type(recorded(exercise)), "check", lambda *given: None)
    training.held_out.append(0.0)
    with pytest.raises(AssertionError, match=r"mlp reached 0.100 of 0.85"):
        test_training.test_model_learns_along_the_curve_of_the_reference(exercise, DEVICE)


def test_fault_that_kernels_hide_is_caught_by_bodies_alone(sabotage: Any) -> None:
    whole = sound("exp")

    def exp(x: Any) -> Any:
        return whole(x) * np.asarray(x).dtype.type(1.0001)

    sabotage(exp)
    exercise = exercise_named("transformer")
    test_training.test_model_learns_along_the_curve_of_the_reference(exercise, DEVICE)
    with pytest.raises(AssertionError, match="the initial weights"):
        test_training.test_model_learns_along_that_curve_by_bodies_alone(exercise, DEVICE)


def test_row_that_moves_without_being_named_is_caught(sabotage: Any) -> None:
    test_training.test_rows_of_a_table_that_no_batch_names_keep_their_bits(DEVICE)
    sabotage(*gradient_in_every_row())
    with pytest.raises(AssertionError, match="users"):
        test_training.test_rows_of_a_table_that_no_batch_names_keep_their_bits(DEVICE)


# checkpoints --------------------------------------------------------------------------------------


def test_bits_lost_on_the_way_out_are_caught(sabotage: Any) -> None:
    def array_to_host(array: Any) -> Any:
        return np.ascontiguousarray(array + 0).reshape(-1).view(np.uint8).data

    sabotage(array_to_host)
    with pytest.raises(AssertionError, match=r"whole, plugrad\.float32, numpy to numpy"):
        test_serialization.test_numbers_of_every_kind_arrive_with_their_bits(
            plugrad.float32, DEVICE
        )


def test_elements_in_the_order_of_memory_are_caught(sabotage: Any) -> None:
    def array_to_host(array: Any) -> Any:
        return array.copy(order="K").reshape(-1, order="A").view(np.uint8).data

    sabotage(array_to_host)
    with pytest.raises(AssertionError, match="turned"):
        test_serialization.test_numbers_of_every_kind_arrive_with_their_bits(
            plugrad.float32, DEVICE
        )


def test_bytes_in_the_other_order_are_caught(sabotage: Any) -> None:
    whole = sound("array_from_host")

    def array_from_host(data: Any, dtype: Any, shape: Any, index: Any) -> Any:
        return whole(data, dtype, shape, index).byteswap()

    sabotage(array_from_host)
    with pytest.raises(AssertionError, match="int32"):
        test_serialization.test_numbers_of_every_kind_arrive_with_their_bits(plugrad.int32, DEVICE)


def test_file_that_is_another_than_the_references_is_caught(sabotage: Any) -> None:
    whole = sound("array_to_host")
    calls: list[int] = []

    def array_to_host(array: Any) -> Any:
        calls.append(1)
        # Two tensors to a file: the second file's floats lose the sign of zero.
        return whole(array + 0 if len(calls) > 2 and array.dtype.kind == "f" else array)

    sabotage(array_to_host)
    with pytest.raises(AssertionError, match="another file"):
        test_serialization.test_equal_states_make_equal_files(DEVICE)


def test_memory_shared_with_what_was_loaded_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # A file would hide it: the state is handed on as it is.
    monkeypatch.setattr(test_serialization, "moved", lambda state, device: state)
    with pytest.raises(AssertionError):
        test_serialization.test_loaded_tensors_have_memory_of_their_own(DEVICE)


def test_state_that_is_forgotten_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    exercise = exercise_named("mlp")
    test_serialization.test_training_that_is_resumed_ends_with_the_same_bits(exercise, DEVICE)
    monkeypatch.setattr(plugrad, "set_rng_state", lambda state: None)
    with pytest.raises(AssertionError):
        test_serialization.test_training_that_is_resumed_ends_with_the_same_bits(exercise, DEVICE)


def test_training_that_goes_on_differently_elsewhere_is_caught(
    sabotage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another name for NumPy stands for another backend.
    monkeypatch.setattr(test_serialization, "partners", lambda device, *dtypes: [device, "cpu"])
    exercise = exercise_named("cnn")
    test_serialization.test_training_that_is_saved_goes_on_elsewhere(exercise, DEVICE)
    sabotage(*decay_through_the_averages())
    with pytest.raises(AssertionError, match="left the band"):
        test_serialization.test_training_that_is_saved_goes_on_elsewhere(exercise, DEVICE)


# streams ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stretch", test_streams.STRETCHES[:5], ids=str)
def test_vectors_of_the_reference_stream_are_its_words(stretch: tuple[int, int, int]) -> None:
    seed, offset, count = stretch
    found = test_streams.words(seed, offset, min(count, 1023))
    want: list[int] = []
    for block in range(offset // 4, (offset + len(found) + 3) // 4):
        counter = (block & 0xFFFFFFFF, block >> 32, 0, 0)
        want += philox_block(counter, (seed & 0xFFFFFFFF, seed >> 32))
    assert found.tolist() == want[: len(found)]


STREAM_FAULTS: dict[str, Callable[[Any, int, int], Any]] = {
    "lanes in another order": lambda words, offset, count: words[::-1].copy(),
    "wrong from 2**16 on": lambda words, offset, count: np.where(
        np.arange(count) < 1 << 16, words, 0
    ),
    "counter of 32 bits": lambda words, offset, count: words if offset < 1 << 34 else words + 1,
    "last partial block": lambda words, offset, count: np.concatenate(
        [words[: count // 4 * 4], words[count // 4 * 4 :] * 0]
    ),
}


def words_are_wrong(stretch: tuple[int, int, int]) -> bool:
    try:
        test_streams.test_words_are_those_of_philox(stretch, DEVICE)
    except AssertionError as error:
        return "numbers differ" in str(error)
    return False


@pytest.mark.parametrize("fault", STREAM_FAULTS)
def test_words_that_are_wrong_are_caught(fault: str, sabotage: Any) -> None:
    whole, change = sound("philox"), STREAM_FAULTS[fault]

    def philox(seed: Any, offset: Any, count: Any, device: Any) -> Any:
        return change(whole(seed, offset, count, device), offset, count)

    sabotage(philox)
    caught = [stretch for stretch in test_streams.STRETCHES if words_are_wrong(stretch)]
    assert caught


def test_key_of_32_bits_is_caught(sabotage: Any) -> None:
    whole = sound("philox")

    def philox(seed: Any, offset: Any, count: Any, device: Any) -> Any:
        return whole(seed & 0xFFFFFFFF, offset, count, device)

    sabotage(philox)
    with pytest.raises(AssertionError, match="numbers differ"):
        test_streams.test_uniform_numbers_agree_to_the_bit(3, plugrad.float32, DEVICE)


def test_uniform_numbers_of_fewer_bits_are_caught(sabotage: Any) -> None:
    def uniform(seed: Any, offset: Any, shape: Any, dtype: Any, device: Any) -> Any:
        drawn = test_streams.uniform(seed, offset, int(np.prod(shape)), dtype)
        return (np.floor(drawn * 2**23) / 2**23).astype(drawn.dtype).reshape(shape)

    sabotage(uniform)
    with pytest.raises(AssertionError, match="numbers differ"):
        test_streams.test_uniform_numbers_agree_to_the_bit(1000, plugrad.float32, DEVICE)
    with pytest.raises(AssertionError, match="numbers differ"):
        test_streams.test_calls_in_a_row_read_one_stream(DEVICE)
    with pytest.raises(AssertionError, match="weight"):
        test_streams.test_initial_weights_follow_from_the_stream(DEVICE)


@pytest.mark.parametrize("off", [1.00001, -1.0])
def test_normal_numbers_of_another_formula_are_caught(off: float, sabotage: Any) -> None:
    def normal(seed: Any, offset: Any, shape: Any, dtype: Any, device: Any) -> Any:
        made, _ = test_streams.normal(seed, offset, int(np.prod(shape)), dtype)
        return (made * off).astype(dtype.name).reshape(shape)

    sabotage(normal)
    with pytest.raises(AssertionError, match="allowed"):
        test_streams.test_normal_numbers_agree_as_logarithm_and_cosine_do(
            1000, plugrad.float32, DEVICE
        )
    with pytest.raises(AssertionError, match="allowed"):
        test_streams.test_normal_initial_weights_agree_as_logarithm_and_cosine_do(DEVICE)


def test_integers_of_32_random_bits_are_caught(sabotage: Any) -> None:
    def randint(
        seed: Any, offset: Any, low: Any, high: Any, shape: Any, dtype: Any, device: Any
    ) -> Any:
        words = test_streams.words(seed, offset, 2 * int(np.prod(shape)))[1::2]
        return (words % (high - low) + low).astype(dtype.name).reshape(shape)

    sabotage(randint)
    with pytest.raises(AssertionError, match="numbers differ"):
        test_streams.test_integers_agree(-7, 300, plugrad.int32, DEVICE)


def test_mask_that_drops_elsewhere_is_caught(sabotage: Any) -> None:
    test_streams.test_dropout_drops_where_the_stream_says(0.5, DEVICE)
    sabotage(*mask_without_its_scale())
    with pytest.raises(AssertionError, match="dropout"):
        test_streams.test_dropout_drops_where_the_stream_says(0.5, DEVICE)


def test_state_that_is_not_taken_up_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugrad.Generator, "set_state", lambda self, state: self)
    with pytest.raises(AssertionError, match="from the state"):
        test_streams.test_generator_goes_on_where_its_state_was_taken(DEVICE)
    with pytest.raises(AssertionError, match="after set_rng_state"):
        test_streams.test_the_default_generator_is_seeded_and_restored(DEVICE)


# determinism --------------------------------------------------------------------------------------


def test_sum_in_an_order_left_to_chance_is_caught(sabotage: Any) -> None:
    chance = np.random.default_rng()

    def index_add(x: Any, index: Any, source: Any, dim: Any) -> Any:
        out, order = x.copy(), chance.permutation(len(index))
        np.add.at(out, index[order], source[order])
        return out

    test_determinism.test_large_call_gives_the_same_bits_again("collisions", DEVICE)
    sabotage(index_add)
    with pytest.raises(AssertionError, match="collisions on 'numpy': result 0 of run 2"):
        test_determinism.test_large_call_gives_the_same_bits_again("collisions", DEVICE)


def test_memory_that_was_never_written_is_caught(sabotage: Any) -> None:
    def relu(x: Any) -> Any:
        out = [np.empty_like(x) for _ in range(3)][-1]
        np.copyto(out, x, where=x > 0)
        return out

    sabotage(relu)
    with pytest.raises(AssertionError, match="relu-float32-rows"):
        test_determinism.test_operator_gives_the_same_bits_again(
            row_named("relu-float32-rows"), DEVICE
        )


def test_gradient_with_noise_is_caught(sabotage: Any) -> None:
    whole, chance = sound("tanh_backward"), np.random.default_rng()

    def tanh_backward(g: Any, out: Any) -> Any:
        return whole(g, out) * np.float32(1 + 1e-6 * chance.random())

    sabotage(tanh_backward)
    with pytest.raises(AssertionError, match="not the bits"):
        test_determinism.test_operator_gives_the_same_bits_again(
            row_named("tanh-float32-rows"), DEVICE
        )
    with pytest.raises(AssertionError, match="gru on 'numpy'"):
        test_determinism.test_training_gives_the_same_bits_again(exercise_named("gru"), DEVICE)


# threads ------------------------------------------------------------------------------------------


def with_shared_scratch() -> Kernel:
    """A kernel that computes in memory which all threads share."""
    scratch: dict[Any, Any] = {}

    def sqrt(x: Any) -> Any:
        x = np.asarray(x)
        held = scratch.setdefault((x.shape, x.dtype), np.empty(x.shape, x.dtype))
        for place in np.ndindex(x.shape):
            held[place] = np.sqrt(np.abs(x[place]))
        out = held.copy()
        held[...] = 0
        return out

    return sqrt


def test_scratch_that_threads_share_is_caught(sabotage: Any) -> None:
    row = row_named("sqrt-float32-rows")
    sabotage(with_shared_scratch())
    with pytest.raises(AssertionError, match=r"thread [0-3] got other bits"):
        repeatedly(test_threads.test_operator_gives_in_threads_what_it_gives_alone, row, DEVICE)
    with pytest.raises(AssertionError, match="a tensor that threads share"):
        repeatedly(test_threads.test_tensors_may_be_read_by_several_threads, row, DEVICE)


def test_kernel_that_only_the_main_thread_may_call_is_caught(sabotage: Any) -> None:
    whole = sound("sum")

    def sum(x: Any, dim: Any, keepdim: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("no context in this thread")
        return whole(x, dim, keepdim)

    sabotage(sum)
    with pytest.raises(RuntimeError, match="no context"):
        test_threads.test_large_call_gives_in_threads_what_it_gives_alone("sums", DEVICE)
    with pytest.raises(RuntimeError, match="no context"):
        test_threads.test_threads_may_train_at_once(DEVICE)


def test_state_of_the_last_call_is_caught(sabotage: Any) -> None:
    last: list[Any] = [None]

    def exp(x: Any) -> Any:
        last[0] = np.exp(x)
        time.sleep(0)
        return last[0]

    sabotage(exp)
    with pytest.raises(AssertionError):
        repeatedly(test_threads.test_threads_may_differentiate_by_the_same_leaf, DEVICE)


def test_threads_that_wait_for_each_other_are_caught(
    sabotage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_threads, "_PATIENCE", 0.3)
    done = threading.Event()

    def floor(x: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            done.wait(5)
        return np.floor(x)

    sabotage(floor)
    try:
        with pytest.raises(AssertionError, match="a thread hangs"):
            test_threads.test_operator_gives_in_threads_what_it_gives_alone(
                row_named("floor-float32-rows"), DEVICE
            )
    finally:
        done.set()


def test_recording_that_all_threads_share_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    state = SimpleNamespace(grad=True)

    class SharedNoGrad:
        def __enter__(self) -> None:
            state.grad = False

        def __exit__(self, *exception: object) -> None:
            state.grad = True

    monkeypatch.setattr(plugrad, "no_grad", SharedNoGrad)
    monkeypatch.setattr(
        plugrad.Tensor, "requires_grad", property(lambda self: state.grad), raising=False
    )
    with pytest.raises(AssertionError):
        test_threads.test_whether_operators_are_recorded_is_each_threads_own(DEVICE)


def test_generator_without_a_lock_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(self: Any, words: int) -> tuple[int, int]:
        offset = self._offset
        time.sleep(0)
        self._offset = offset + -(-words // 4) * 4
        return self._seed, offset

    monkeypatch.setattr(plugrad.Generator, "draw", draw)
    with pytest.raises(AssertionError):
        repeatedly(test_threads.test_threads_that_share_a_generator_get_parts_of_its_stream, DEVICE)


def test_another_number_of_threads_with_another_result_is_caught(sabotage: Any) -> None:
    whole = sound("cumsum")

    def cumsum(x: Any, dim: Any) -> Any:
        # The second thread's part begins anew.
        out = whole(x, dim)
        if plugrad.get_num_threads() > 1 and x.ndim == 2:
            half = x.shape[1] // 2
            out[:, half:] -= out[:, half - 1 : half]
        return out

    sabotage(cumsum)
    with pytest.raises(AssertionError, match="by 2 threads is off"):
        test_threads.test_number_of_threads_changes_nothing_but_rounding("sums", DEVICE)


# leaks --------------------------------------------------------------------------------------------


def test_result_that_is_kept_is_caught(sabotage: Any) -> None:
    kept: list[Any] = []

    def exp(x: Any) -> Any:
        kept.append(np.exp(x))
        return kept[-1]

    test_leaks.test_operator_leaves_nothing_behind(row_named("exp-float32-rows"), DEVICE)
    sabotage(exp)
    with pytest.raises(AssertionError, match="exp-float32-rows on 'numpy' leaves memory"):
        test_leaks.test_operator_leaves_nothing_behind(row_named("exp-float32-rows"), DEVICE)


def test_cycle_that_only_the_collector_frees_is_caught(sabotage: Any) -> None:
    whole = sound("tanh_backward")

    def tanh_backward(g: Any, out: Any) -> Any:
        cycle: list[Any] = [whole(g, out)]
        cycle.append(cycle)
        return cycle[0]

    sabotage(tanh_backward)
    with pytest.raises(AssertionError, match="objects in cycles"):
        test_leaks.test_operator_leaves_nothing_behind(row_named("tanh-float32-rows"), DEVICE)


def test_entry_for_each_step_is_caught(sabotage: Any) -> None:
    whole = sound("sgd_step")
    known: dict[Any, Any] = {}

    def sgd_step(params, grads, momenta, lr, momentum, dampening, weight_decay, nesterov, maximize):
        known[len(known)] = [lr]
        return whole(
            params, grads, momenta, lr, momentum, dampening, weight_decay, nesterov, maximize
        )

    sabotage(sgd_step)
    with pytest.raises(AssertionError, match="a step of kinked_cnn"):
        test_leaks.test_training_step_leaves_nothing_behind(exercise_named("kinked_cnn"), DEVICE)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory is Linux's")
def test_memory_outside_the_interpreter_is_caught(sabotage: Any) -> None:
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    whole, lost = sound("cumsum"), []

    def cumsum(x: Any, dim: Any) -> Any:
        address = library.malloc(1 << 20)
        ctypes.memset(address, 1, 1 << 20)
        lost.append(address)
        return whole(x, dim)

    sabotage(cumsum)
    try:
        with pytest.raises(AssertionError, match="KiB of the process's"):
            test_leaks.test_large_call_leaves_nothing_behind("sums", DEVICE)
    finally:
        for address in lost:
            library.free(address)


def test_array_that_the_device_still_counts_is_caught(sabotage: Any) -> None:
    counted = [0]

    def memory_statistics(index: Any) -> MemoryStatistics:
        counted[0] += 1
        return MemoryStatistics(0, 0, 0, 0, 0, 0, arrays=counted[0])

    sabotage(memory_statistics)
    with pytest.raises(AssertionError, match="1 arrays of the device's"):
        test_leaks.test_moving_between_host_and_device_leaves_nothing_behind(DEVICE)


def test_table_that_doubles_now_and_then_is_no_leak() -> None:
    table: list[Any] = []

    def call() -> None:
        if len(table) < 35:
            table.append([object() for _ in range(20)])

    test_leaks.refuse_growth(call, 20, DEVICE, "a table")


def test_heavy_calls_are_large() -> None:
    for name, call in HEAVY.items():
        assert sum(to_numpy(each).size for each in call(DEVICE)) > 1 << 14, name
