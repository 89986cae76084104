"""The kernels' arithmetic: the very sources that a GPU gets, compiled for the CPU by g++ and
launched by the backend's own Python over NumPy memory. No GPU code is run.

The conformance kit asks about every operator on the same stand-in; asked here is what its rows are
too small for: long lines, many blocks, many axes, few alignments, memory that overlaps.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

cupy = pytest.importorskip("cupy")
if shutil.which("g++") is None or "stand-in" not in cupy.__version__:
    pytest.skip("needs g++, and a process of its own", allow_module_level=True)

import ml_dtypes  # noqa: E402

from plugrad import dtypes  # noqa: E402
from plugrad.devices import Device  # noqa: E402
from plugrad.errors import RangeError  # noqa: E402
from plugrad_conformance.cases import activation as softmaxes  # noqa: E402
from plugrad_conformance.cases import attention as attentions  # noqa: E402
from plugrad_conformance.cases import loss as losses  # noqa: E402
from plugrad_conformance.cases import normalization as norms  # noqa: E402
from plugrad_cupy import (  # noqa: E402
    activation,
    attention,
    binaries,
    comparison,
    devices,
    elementwise,
    linalg,
    loss,
    modules,
    normalization,
    numbers,
    optimizer,
    positions,
    reduction,
    sampling,
)
from plugrad_cupy.layouts import divider  # noqa: E402

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
CUDA = Device("cuda", 0)


@pytest.fixture(autouse=True)
def on_the_device() -> None:
    devices.enter(0)


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(0)


def on_device(x: Any) -> Any:
    return None if x is None else cupy.asarray(np.array(x, order="C"))


def run(kernel: Any, *arguments: Any) -> Any:
    """What a kernel gives for arrays of the host."""
    return kernel(*[on_device(x) if isinstance(x, np.ndarray) else x for x in arguments])


def assert_near(got: Any, want: Any, tolerance: float = 2e-5) -> None:
    found = got.get().astype(np.complex128 if got.dtype.kind == "c" else np.float64)
    assert found.shape == np.shape(want)
    np.testing.assert_allclose(found, want, rtol=tolerance, atol=tolerance)


# elementwise --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float16, BFLOAT16, np.int8, np.complex128])
def test_every_alignment_and_length_gives_every_element(dtype: Any) -> None:
    memory = on_device((np.arange(80) % 7).astype(dtype))
    for start in (0, 1, 2, 3):
        for size in (1, 3, 15, 16, 17, 33):
            x = memory[start : start + size]
            got = elementwise.add(x, x).get()
            assert np.array_equal(got, x.get() + x.get()), (start, size)


def test_array_larger_than_a_grid_of_blocks_is_covered() -> None:
    x = np.arange((1 << 16) * 4 + 5, dtype=np.int32)
    assert np.array_equal(elementwise.neg(on_device(x)).get(), -x)


def test_operands_that_lie_alike_give_a_result_that_does_too(draw: Any) -> None:
    x = draw.normal(size=(3, 4, 5)).astype(np.float32)
    seen = on_device(x).transpose(2, 0, 1)
    got = elementwise.add(seen, seen)
    assert got.strides == seen.strides
    assert np.array_equal(got.get(), (x + x).transpose(2, 0, 1))


def test_result_of_another_size_lies_as_its_operands_do(draw: Any) -> None:
    x = on_device(draw.normal(size=(3, 4)).astype(np.float64)).transpose()
    got = comparison.gt(x, x)
    assert got.strides == (1, 4)
    assert not got.get().any()


def test_broadcasting_strides_and_negative_strides_together(draw: Any) -> None:
    x = draw.normal(size=(4, 1, 6)).astype(np.float32)
    y = draw.normal(size=(10, 3, 1)).astype(np.float32)
    got = elementwise.mul(on_device(x)[:, :, ::-2], on_device(y)[::-1][2:6])
    assert np.array_equal(got.get(), x[:, :, ::-2] * y[::-1][2:6])


def test_more_axes_than_a_kernel_walks_are_copied_first(draw: Any) -> None:
    x = draw.integers(0, 9, (2,) * 10)
    y = draw.integers(0, 9, (2, 1) * 5)
    mixed = on_device(x).transpose(9, 1, 7, 3, 5, 4, 6, 2, 8, 0)
    got = elementwise.sub(mixed, on_device(y)).get()
    assert np.array_equal(got, x.transpose(9, 1, 7, 3, 5, 4, 6, 2, 8, 0) - y)


def test_kernel_in_place_declines_operands_that_overlap_otherwise() -> None:
    x = on_device(np.arange(10.0))
    assert elementwise.add_(x[1:], x[:-1]) is None
    assert elementwise.add_(x[5:], x[:5]) is not None
    assert np.array_equal(x.get(), [0, 1, 2, 3, 4, 5, 7, 9, 11, 13])


def test_kernel_in_place_writes_into_any_layout() -> None:
    x = on_device(np.arange(12.0).reshape(3, 4))
    elementwise.mul_(x.transpose()[::2], on_device(np.array(-1.0)))
    assert np.array_equal(x.get(), [[-0, 1, -2, 3], [-4, 5, -6, 7], [-8, 9, -10, 11]])


def test_formula_that_is_not_for_a_dtype_is_declined() -> None:
    assert elementwise.tanh_backward(on_device(np.ones(3, int)), on_device(np.ones(3, int))) is None


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
def test_no_integer_traps_and_all_wrap_around(dtype: Any) -> None:
    ends = np.iinfo(dtype)
    x = on_device(np.array([ends.min, ends.min, 7, -7, ends.max], dtype))
    y = on_device(np.array([-1, 0, 0, 2, ends.max], dtype))
    assert elementwise.floor_divide(x, y).get().tolist() == [ends.min, 0, 0, -4, 1]
    assert elementwise.remainder(x, y).get().tolist() == [0, 0, 0, 1, 0]
    assert elementwise.fmod(x, y).get().tolist() == [0, 0, 0, -1, 0]
    assert elementwise.abs(x).get().tolist() == [ends.min, ends.min, 7, 7, ends.max]
    assert elementwise.add(x, x).get().tolist() == [0, 0, 14, -14, -2]


def test_half_survives_its_whole_range() -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    for dtype in (np.dtype(np.float16), BFLOAT16):
        x = bits.view(dtype)
        got = elementwise.mul(on_device(x), on_device(np.ones((), dtype))).get()
        same = (got.view(np.uint16) == bits) | np.isnan(x.astype(np.float32))
        assert same.all()
        assert np.isnan(got.astype(np.float32)).sum() == np.isnan(x.astype(np.float32)).sum()


def test_bfloat16_rounds_to_the_nearest_and_ties_to_even() -> None:
    x = np.array([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, 3.4e38], np.float32)
    one = on_device(np.ones((), np.float32))
    wide = elementwise.mul(on_device(x), one).get()
    left = on_device(np.array([1, 1, 1], BFLOAT16))
    right = on_device(np.array([2**-8, 3 * 2**-8, 2**-8 * 1.0078125], BFLOAT16))
    assert np.array_equal(wide, x)
    assert elementwise.add(left, right).get().astype(float).tolist() == [1, 1.015625, 1.0078125]


@pytest.mark.parametrize("dtype", [np.float16, BFLOAT16, np.float32, np.float64])
def test_next_number_is_that_of_the_dtype(dtype: Any) -> None:
    ends = ml_dtypes.finfo(dtype)
    some = [0.0, -0.0, 1.0, -1.0, 3.3, ends.max, ends.min, ends.smallest_subnormal]
    x = np.array([*some, np.inf, -np.inf, np.nan], dtype)
    x, y = (np.ascontiguousarray(each).reshape(-1) for each in np.meshgrid(x, x))
    got = numbers.nextafter(on_device(x), on_device(y)).get().astype(np.float64)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, np.nextafter(x, y).astype(np.float64))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 10, 641, 2**16 + 1, 2**31 - 1])
def test_division_by_a_product_is_exact(size: int) -> None:
    _, factor, shift = divider(size)
    for x in (0, 1, size - 1, size, size + 1, 2**31 - 1, 2**31 // size * size - 1):
        if 0 <= x < 2**31:
            assert ((x * factor >> 32) + x) >> shift == x // size


# lines --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 3, 4), (1500, 3), (3, 5000), (1, 40000), (40, 50, 6)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64])
def test_reduction_agrees_along_every_axis_and_in_every_order(
    shape: Any, dtype: Any, draw: Any
) -> None:
    x = draw.normal(0, 3, shape).astype(dtype)
    wide = x.astype(np.float64)
    reductions = ((reduction.sum, np.sum), (reduction.amax, np.max), (reduction.amin, np.min))
    for seen, exact in ((on_device(x), wide), (on_device(x).transpose(), wide.T)):
        for axes in ((0,), (1,), (0, 1), (0, x.ndim - 1), tuple(range(x.ndim))):
            for kernel, reference in reductions:
                assert_near(kernel(seen, axes, False), reference(exact, axis=axes), 2e-3)
        for axis in (None, 0, 1):
            got = reduction.argmax(seen, axis, False).get()
            assert np.array_equal(got, exact.argmax(axis))
        assert_near(reduction.cumsum(seen, 0), exact.cumsum(0), 2e-3 * x.shape[0])


def test_reduction_in_parts_gives_equal_bits_every_time(draw: Any) -> None:
    x = on_device(draw.normal(size=(1, 30000)).astype(np.float32))
    first = reduction.sum(x, (1,), False).get()
    assert all(reduction.sum(x, (1,), False).get() == first for _ in range(3))


def test_halves_are_summed_in_single(draw: Any) -> None:
    x = on_device(np.ones(5000, np.float16))
    assert reduction.sum(x, (0,), False).item() == 5000


def test_first_of_equals_and_first_nan_are_found_across_blocks() -> None:
    x = np.zeros(20000, np.float32)
    x[[700, 19000]] = 5
    assert reduction.argmax(on_device(x), None, False).item() == 700
    x[[900, 15000]] = np.nan
    assert reduction.argmax(on_device(x), None, False).item() == 900
    assert reduction.argmin(on_device(x), None, False).item() == 900
    assert np.isnan(reduction.amin(on_device(x), (0,), False).item())


@pytest.mark.parametrize(
    ("shape", "dim"), [((3, 40), 1), ((3, 40), 0), ((2, 5, 3), 1), ((2, 1500), 1)]
)
def test_softmax_agrees_along_rows_and_columns(shape: Any, dim: int, draw: Any) -> None:
    x, g = (draw.normal(0, 3, shape).astype(np.float32) for _ in range(2))
    out = softmaxes._softmax(x.astype(np.float64), dim)
    assert_near(activation.softmax(on_device(x), dim), out)
    assert_near(activation.log_softmax(on_device(x), dim), np.log(out))
    kept = out.astype(np.float32)
    got = activation.softmax_backward(on_device(g), on_device(kept), dim)
    assert_near(got, softmaxes._softmax_backward(g, kept, dim))


def test_softmax_sees_nothing_where_everything_else_is_minus_infinity() -> None:
    x = np.full((2, 40), -np.inf, np.float32)
    x[:, 33] = 1
    assert np.array_equal(activation.softmax(on_device(x), 1).get(), np.isfinite(x))


# products -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16])
def test_products_of_a_batch_of_halves_are_summed_in_single(dtype: Any) -> None:
    # In their own precision sums of ones stop growing at 2048, or at 256.
    x, y = np.ones((3, 2, 4096), dtype), np.ones((3, 4096, 5), dtype)
    for given in ((x, y), (x[:1], y), (x, y[0])):
        assert (run(linalg.matmul, *given).get().astype(np.float32) == 4096).all()


# normalisation, losses, attention -----------------------------------------------------------------


@pytest.mark.parametrize(("shape", "axes"), [((70, 130), 1), ((2, 3, 4), 2), ((5, 2000), 1)])
@pytest.mark.parametrize("affine", [True, False])
def test_layer_norm_agrees(shape: Any, axes: int, affine: bool, draw: Any) -> None:
    inner = shape[len(shape) - axes :]
    x, g = draw.normal(2, 3, shape), draw.normal(0, 1, shape)
    weight, bias = (draw.normal(0, 1, inner), draw.normal(0, 1, inner)) if affine else (None, None)
    got = run(normalization.layer_norm, x, weight, bias, axes, 0.01)
    assert_near(got, norms._layer_norm(x, weight, bias, axes, 0.01), 1e-9)
    got = run(normalization.layer_norm_backward, g, x, weight, axes, 0.01)
    want = norms._layer_norm_backward(g, x, weight, axes, 0.01)
    for each, exact in zip(got, want, strict=True):
        assert_near(each, exact, 1e-8)


@pytest.mark.parametrize("shape", [(2000, 3), (2, 3, 40, 50), (4, 7, 30), (3, 40)])
def test_batch_norm_agrees(shape: Any, draw: Any) -> None:
    x, g = draw.normal(2, 3, shape), draw.normal(0, 1, shape)
    weight, bias = draw.normal(0, 1, shape[1]), draw.normal(0, 1, shape[1])
    got = run(normalization.batch_norm, x, weight, bias, 0.01)
    for each, exact in zip(got, norms._batch_norm(x, weight, bias, 0.01), strict=True):
        assert_near(each, exact, 1e-9)
    got = run(normalization.batch_norm_backward, g, x, weight, 0.01)
    for each, exact in zip(got, norms._batch_norm_backward(g, x, weight, 0.01), strict=True):
        assert_near(each, exact, 1e-8)


def test_variance_far_from_zero_does_not_cancel(draw: Any) -> None:
    x = draw.normal(10000, 1, (5000, 2)).astype(np.float32)
    _, _, variance = run(normalization.batch_norm, x, None, None, 0.0)
    assert_near(variance, x.astype(np.float64).var(0), 1e-3)


@pytest.mark.parametrize("shape", [(5, 3), (4,), (2, 3, 4, 2), (3, 1500), (300, 10)])
@pytest.mark.parametrize("reduced", ["none", "sum", "mean"])
def test_cross_entropy_agrees(shape: Any, reduced: str, draw: Any) -> None:
    axis = 0 if len(shape) == 1 else 1
    x = draw.normal(0, 2, shape)
    target = draw.integers(1, shape[axis], shape[:axis] + shape[axis + 1 :])
    if target.ndim:
        target[:1] = 0  # ignored
    weight = draw.uniform(0.5, 2, shape[axis])
    given = x, np.asarray(target), weight, 0, reduced
    assert_near(run(loss.cross_entropy, *given), losses._cross_entropy(*given), 1e-9)
    g = np.asarray(draw.normal(0, 1, target.shape if reduced == "none" else ()))
    want = losses._cross_entropy_backward(g, *given)
    assert_near(run(loss.cross_entropy_backward, g, *given), want, 1e-9)


def test_class_that_is_not_there_is_told_at_the_next_wait() -> None:
    loss.cross_entropy(on_device(np.ones((2, 3))), on_device(np.array([1, 3])), None, -100, "mean")
    with pytest.raises(RangeError, match="3"):
        positions.check()
    positions.check()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("lead", "L", "S", "E", "V"),
    [((), 3, 4, 5, 2), ((2, 3), 40, 70, 33, 130), ((2,), 64, 64, 32, 32), ((), 5, 0, 4, 3)],
)
def test_attention_agrees(
    lead: Any, L: int, S: int, E: int, V: int, causal: bool, draw: Any
) -> None:
    query, key, value = (draw.normal(size=(*lead, *each)) for each in ((L, E), (S, E), (S, V)))
    given = query, key, value, None, None, causal, E**-0.5
    single = [each.astype(np.float32) for each in given[:3]]
    got = run(attention.attention, *single, *given[3:])
    if S:
        assert_near(got, attentions._attention(*given))
        g, y = draw.normal(size=(2, *lead, L, V))
        want = attentions._attention_backward(g, *given[:5], y, *given[5:])
        got = run(attention.attention_backward, g, *given[:5], y, *given[5:])
        for each, exact in zip(got, want, strict=True):
            assert_near(each, exact, 1e-9)
    else:
        assert not got.get().any()


def test_attention_takes_masks_that_broadcast_and_dropout(draw: Any) -> None:
    query, key = draw.normal(size=(2, 3, 40, 8)), draw.normal(size=(1, 3, 70, 8))
    value = draw.normal(size=(70, 6))
    kept = draw.uniform(0, 2, (2, 3, 40, 70))
    truths = draw.random((40, 70)) > 0.5
    truths[3] = False
    for mask in (truths, draw.normal(size=(2, 1, 1, 70))):
        given = query, key, value, mask, kept
        got = run(attention.attention, *given, False, 0.5)
        assert_near(got, attentions._attention(*given, False, 0.5), 1e-9)
        g, y = draw.normal(size=(2, 2, 3, 40, 6))
        got = run(attention.attention_backward, g, *given, y, False, 0.5)
        want = attentions._attention_backward(g, *given, y, False, 0.5)
        for each, exact in zip(got, want, strict=True):
            assert_near(each, exact, 1e-9)


# random numbers and optimizers --------------------------------------------------------------------


def test_words_are_those_of_the_published_stream() -> None:
    # J. K. Salmon et al., SC 2011: the vectors of Philox4x32-10 for zeros.
    words = sampling.philox(0, 0, 4, CUDA).get().tolist()
    assert words == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16])
def test_numbers_do_not_depend_on_how_they_are_drawn(dtype: Any) -> None:
    whole = sampling.uniform(7, 8, (1000,), dtype, CUDA).get().astype(np.float64)
    per = 2 if dtype is dtypes.float64 else 1
    rest = sampling.uniform(7, 8 + 400 * per, (600,), dtype, CUDA).get().astype(np.float64)
    assert np.array_equal(whole[400:], rest)
    assert whole.min() >= 0
    assert whole.max() < 1
    kept = sampling.keep_mask(7, 8, 0.25, (1000,), dtype, CUDA).get() != 0
    assert 650 < kept.sum() < 850


def _parameters(draw: Any, count: int) -> list[list[Any]]:
    shapes = [(3, 4), (5000,), (), (0, 3)] * count
    made = [[draw.normal(size=shape) for shape in shapes] for _ in range(4)]
    return [*made[:3], [np.abs(each) for each in made[3]]]


def test_steps_of_more_tensors_than_a_launch_takes_agree(draw: Any) -> None:
    params, grads, averages, squares = _parameters(draw, 9)
    steps = [1 + i % 3 for i in range(len(params))]
    held = [[on_device(x) for x in group] for group in (params, grads, averages, squares)]
    run(optimizer.adam_step, *held, None, steps, 0.1, 0.9, 0.99, 1e-3, 0.05, True, False)
    for i, t in enumerate(steps):
        m = averages[i] + (grads[i] - averages[i]) * 0.1
        v = squares[i] * 0.99 + grads[i] ** 2 * 0.01
        size = np.sqrt(v) / (1 - 0.99**t) ** 0.5 + 1e-3
        want = params[i] * (1 - 0.1 * 0.05) - m / size * (0.1 / (1 - 0.9**t))
        assert_near(held[0][i], want, 1e-12)
        assert_near(held[2][i], m, 1e-12)


def test_steps_by_the_size_of_gradients_agree(draw: Any) -> None:
    params, grads, averages, squares = _parameters(draw, 9)
    squares = [each + 99 for each in squares]  # above the squares of the means
    momenta = [draw.normal(size=each.shape) for each in params]
    groups = (params, grads, squares, averages, momenta)
    held = [[on_device(x) for x in group] for group in groups]
    run(optimizer.rmsprop_step, *held, 0.1, 0.9, 1e-3, 0.05, 0.8, True)
    for i, p in enumerate(params):
        g = p * 0.05 - grads[i]
        v = squares[i] * 0.9 + g * g * 0.1
        m = averages[i] + (g - averages[i]) * 0.1
        step = momenta[i] * 0.8 + g / (np.sqrt(v - m * m) + 1e-3)
        for kept, want in zip(held, (p - step * 0.1, grads[i], v, m, step), strict=True):
            assert_near(kept[i], want, 1e-12)
    steps = [1 + i % 3 for i in range(len(params))]
    held = [[on_device(x) for x in group] for group in groups[:3]]
    run(optimizer.adagrad_step, *held, steps, 0.1, 0.2, 1e-3, 0.05, False)
    for i, p in enumerate(params):
        g = p * 0.05 + grads[i]
        total = squares[i] + g * g
        rate = 0.1 / (1 + (steps[i] - 1) * 0.2)
        assert_near(held[0][i], p - rate * g / (np.sqrt(total) + 1e-3), 1e-12)
        assert_near(held[2][i], total, 1e-12)


def test_step_of_a_parameter_in_another_order_is_declined() -> None:
    params = [on_device(np.ones((2, 3))).transpose()]
    grads = [on_device(np.ones((3, 2)))]
    assert optimizer.sgd_step(params, grads, None, 0.1, 0, 0, 0, False, False) is None


# the shim -----------------------------------------------------------------------------------------


def test_threads_that_wait_at_different_barriers_are_found() -> None:
    """A kernel that would hang on a GPU ends the process here, with a message."""
    source = """
struct Nothing { void* out; };
KERNEL(hangs, Nothing, 32) { if (threadIdx.x < 16) __syncthreads(); else __syncwarp(); }
"""
    program = f"""
from plugrad_cupy import devices, modules
devices.enter(0)
code = modules.text_of("scalars.cuh", ()) + {source!r}
modules.CompiledKernel(code, "hangs", "P")((1, 1, 1), (32, 1, 1), 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent / "standin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "different barriers" in done.stderr


def test_text_of_a_module_holds_each_file_once() -> None:
    text = modules.text_of("loss.cu", ("float",))
    assert text.count("struct Divider") == 1
    assert "#include" not in text
    assert text.index("typedef float T;") < text.index("struct CrossEntropy")


def test_numbers_below_the_normal_ones_are_numbers() -> None:
    assert "-ftz=true" not in binaries.OPTIONS
    least = np.array([1e-45, -1e-45, 1.1754944e-38], np.float32)
    got = elementwise.mul(on_device(least), on_device(np.array(0.5, np.float32))).get()
    assert np.array_equal(got, least * np.float32(0.5))


def test_modules_are_compiled_once_and_kept(tmp_path: Path) -> None:
    program = """
from plugrad.devices import Device
from plugrad_cupy import binaries, devices, sampling
devices.enter(0)
sampling.philox(0, 0, 4, Device("cuda", 0))
print(*[each.stat().st_mtime_ns for each in binaries.cache_folder().iterdir()])
"""
    known = {"PYTHONPATH": str(Path(__file__).parent / "standin"), "PLUGRAD_CACHE": str(tmp_path)}
    first, again = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | known,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert len(first) == 1
    assert first == again
