"""The kit itself: sound kernels pass, and each kind of fault that a backend can have is caught by
the test meant for it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import plugrad
from plugrad_conformance.case import EXACT, REDUCTION, ROUNDED
from plugrad_conformance.cases.sampling import philox_block
from plugrad_conformance.check import allowed_error, assert_close
from plugrad_conformance.derivative import Problem, numerical_gradients
from plugrad_conformance.layouts import LAYOUTS
from plugrad_conformance.rows import Row, rows
from plugrad_conformance.suite import (
    test_contract,
    test_derivative,
    test_forward,
    test_spec,
    test_special_values,
)

Fault = Callable[..., Any]


def row_named(name: str) -> Row:
    return next(row for row in rows() if str(row) == name)


@pytest.fixture
def sabotage() -> Iterator[Callable[[Fault], None]]:
    """Puts a kernel of the operator that it is named after before NumPy's."""

    def put(kernel: Fault) -> None:
        plugin = SimpleNamespace(**{kernel.__name__: plugrad.kernel(kernel)})
        plugrad.backends.register(plugin, name="saboteur", backend="numpy")

    yield put
    plugrad.backends.unregister("saboteur")


def check_values(name: str) -> None:
    test_forward.test_values_are_those_of_the_float64_reference(row_named(name), "numpy")


def in_layout(name: str, layout: str) -> None:
    found = next(each for each in LAYOUTS if each.name == layout)
    test_forward.test_values_do_not_depend_on_the_order_in_memory(row_named(name), found, "numpy")


# faults of a backend ------------------------------------------------------------------------------


def test_values_that_are_slightly_off_are_caught(sabotage: Any) -> None:
    def tanh(x: Any) -> Any:
        return np.tanh(x) * x.dtype.type(1 + 1e-6)

    check_values("tanh-float32-rows")
    sabotage(tanh)
    with pytest.raises(AssertionError, match=r"error .* allowed"):
        check_values("tanh-float32-rows")


def test_another_dtype_is_caught(sabotage: Any) -> None:
    def exp(x: Any) -> Any:
        return np.exp(x.astype(np.float64))

    sabotage(exp)
    with pytest.raises(AssertionError, match="array and spec differ"):
        check_values("exp-float32-rows")
    with pytest.raises(AssertionError, match="array and spec differ"):
        test_spec.test_result_has_the_spec_that_is_promised_and_inferred(
            row_named("exp-float32-rows"), "numpy"
        )


def test_kept_axis_that_should_have_gone_is_caught(sabotage: Any) -> None:
    def sum(x: Any, dim: Any, keepdim: Any) -> Any:
        return np.sum(x, axis=dim, keepdims=True)

    sabotage(sum)
    with pytest.raises(AssertionError, match="array and spec differ"):
        check_values("sum-float32-rows")


def test_changed_input_is_caught(sabotage: Any) -> None:
    def neg(x: Any) -> Any:
        out = -x
        x[...] = 0
        return out

    sabotage(neg)
    with pytest.raises(AssertionError, match="changed its input"):
        check_values("neg-float32-rows")


def test_result_that_is_the_input_is_caught(sabotage: Any) -> None:
    def floor(x: Any) -> Any:
        return np.floor(x, out=x) if x.dtype.kind == "f" else x

    def clone(x: Any) -> Any:
        return x

    row = row_named("clone-float32-rows")
    test_forward.test_result_has_memory_of_its_own_unless_it_is_a_view(row, "numpy")
    sabotage(clone)
    with pytest.raises(AssertionError, match="shares memory"):
        test_forward.test_result_has_memory_of_its_own_unless_it_is_a_view(row, "numpy")


def test_kernel_that_reads_past_strides_is_caught(sabotage: Any) -> None:
    def square(x: Any) -> Any:
        whole = x if x.base is None else x.base
        return np.square(whole.reshape(-1)[: x.size].reshape(x.shape))

    check_values("square-float32-rows")
    sabotage(square)
    check_values("square-float32-rows")
    for layout in ("transposed", "strided", "offset"):
        with pytest.raises(AssertionError, match=layout):
            in_layout("square-float32-rows", layout)


def test_kernel_that_writes_past_strides_is_caught(sabotage: Any) -> None:
    def zero_(x: Any) -> Any:
        (x if x.base is None else x.base)[...] = 0
        return x

    sabotage(zero_)
    check_values("zero_-float32-rows")
    with pytest.raises(AssertionError, match="outside the result"):
        in_layout("zero_-float32-rows", "strided")


def test_forgotten_return_is_caught(sabotage: Any) -> None:
    def sigmoid(x: Any) -> Any:
        _ = np.tanh(x)

    operator = plugrad.ops.operators["sigmoid"]
    test_contract.test_kernel_answers_some_row(operator, "numpy")
    sabotage(sigmoid)
    with pytest.raises(AssertionError, match="lack a return"):
        test_contract.test_kernel_answers_some_row(operator, "numpy")


def test_lost_nan_is_caught(sabotage: Any) -> None:
    def maximum(x: Any, y: Any) -> Any:
        return np.fmax(x, y)

    sabotage(maximum)
    check_values("maximum-float32-rows")
    with pytest.raises(AssertionError, match="expected nan"):
        test_special_values.test_elementwise_operator_gives_what_ieee_arithmetic_gives(
            row_named("maximum-float32-rows"), "numpy"
        )


def test_wrong_backward_kernel_is_caught(sabotage: Any) -> None:
    def softmax_backward(g: Any, out: Any, dim: Any) -> Any:
        return g * out

    row = row_named("softmax-float64-rows")
    test_derivative.test_gradient_is_the_slope(row, "numpy")
    sabotage(softmax_backward)
    with pytest.raises(AssertionError, match="gradient of input 0"):
        test_derivative.test_gradient_is_the_slope(row, "numpy")
    with pytest.raises(AssertionError, match="gradient 0"):
        test_contract.test_stated_derivative_is_that_of_the_body(row, "numpy")


# the checks themselves ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "want", "complaint"),
    [
        (np.array([1, 2], np.float32), np.array([1.0, 2.1]), r"worst at \(1,\)"),
        (np.array([1, np.nan], np.float32), np.array([1.0, 2.0]), "1 of 2"),
        (np.array([1, 2], np.float32), np.array([1.0, np.nan]), "1 of 2"),
        (np.array([1, np.inf], np.float32), np.array([1.0, -np.inf]), "1 of 2"),
        (np.array([1, 2, 3], np.float32), np.array([1.0, 2.0]), "shape"),
        (np.array([1, 2], np.float64), np.array([1.0, 2.0]), "dtype"),
        (np.array([1, 2], np.int64), np.array([1, 3]), "1 of 2 elements differ"),
    ],
)
def test_what_is_not_close_raises(got: Any, want: Any, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        assert_close(got, want, row_named("tanh-float32-rows"), "numpy")


def test_number_in_place_of_nan_is_not_close_in_any_dtype() -> None:
    half = np.dtype(ml_dtypes.bfloat16)
    got, want = np.array([0, 2], half), np.array([np.nan, 2], half)
    with pytest.raises(AssertionError, match="1 of 2"):
        assert_close(got, want, row_named("neg-bfloat16-rows"), "numpy")


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (np.array([1, np.nan, np.inf], np.float32), np.array([1.0, np.nan, np.inf])),
        (np.array([np.inf], np.float32), np.array([1e39])),
        (np.array([0.1], np.float32), np.array([0.1])),
    ],
)
def test_what_a_dtype_can_hold_is_close(got: Any, want: Any) -> None:
    assert_close(got, want, row_named("neg-float32-rows"), "numpy")


def test_zeros_of_the_wrong_sign_are_not_close_in_the_exact_class() -> None:
    row = row_named("neg-float32-rows")
    with pytest.raises(AssertionError, match="wrong sign"):
        assert_close(np.array([0.0], np.float32), np.array([-0.0]), row, "numpy")


def test_allowance_grows_with_dtype_and_class() -> None:
    want, operand = np.array([1.0]), (np.ones(100),)

    def room(dtype: Any, tolerance: Any) -> float:
        return float(allowed_error(want, np.dtype(dtype), operand, tolerance)[0])

    assert room(np.float32, EXACT) == 0
    assert room(np.float32, ROUNDED) == pytest.approx(2**-23, rel=1e-6)
    assert room(np.float16, ROUNDED) == pytest.approx(2**-10, rel=1e-3)
    assert room(np.float64, REDUCTION) < room(np.float32, REDUCTION) < room(np.float16, REDUCTION)
    # Halves are summed in single precision: a hundred terms cost them less than one unit more.
    assert room(np.float16, REDUCTION) < 3 * 2**-10


def test_failure_ends_with_a_program_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    row, layout = row_named("cat-float64-rows"), LAYOUTS[0]
    with pytest.raises(AssertionError) as caught:
        assert_close(np.zeros((5, 4)), np.ones((5, 4)), row, "numpy", layout=layout)
    _, program = str(caught.value).split("\n\n")
    exec(compile(program, "program", "exec"), {})
    arrays = row.arrays()
    shown = eval(capsys.readouterr().out, {"tensor": plugrad.tensor, "plugrad": plugrad})
    np.testing.assert_allclose(shown.numpy(), np.concatenate(arrays[0]), atol=1e-4)


def test_differences_find_a_known_gradient() -> None:
    x = np.array([[0.3, -1.2], [2.0, 0.7]])
    z = x + 1j * x[::-1]
    (real,) = numerical_gradients(lambda v: [np.sin(v[0])], [x], [np.ones((2, 2))])
    np.testing.assert_allclose(real, np.cos(x), atol=1e-9)
    (both,) = numerical_gradients(lambda v: [v[0] * v[0]], [z], [np.full((2, 2), 1j)])
    np.testing.assert_allclose(both, np.conj(2 * z) * 1j, atol=1e-8)


def test_gradient_of_what_an_input_does_not_reach_is_zero() -> None:
    problem = Problem(row_named("select-float64-rows"), "numpy")
    (found,) = problem.gradients([np.ones(3)])
    assert found[:, 2].tolist() == [1, 1, 1]
    assert found.sum() == 3


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0,) * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_reference_stream_gives_the_published_words(counter: Any, key: Any, words: Any) -> None:
    assert philox_block(counter, key) == words


# as a backend's author runs it --------------------------------------------------------------------


def pytest_in(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:benchmark",
        *options,
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_kit_runs_from_an_empty_folder_and_says_who_answered(tmp_path: Path) -> None:
    options = ("--pyargs", "plugrad_conformance", "--backend", "numpy", "-k", "cumsum-float32")
    options += ("--operators", "cumsum", "--level", "1")
    done = pytest_in(tmp_path, *options)
    assert done.returncode == 0, done.stdout
    asked = sum(str(row).startswith("cumsum-float32") for row in rows())
    assert f"plugrad conformance, numpy: {asked} rows: {asked} native" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_backend_that_is_not_there_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, "--pyargs", "plugrad_conformance", "--backend", "abacus", "-x")
    assert done.returncode == 4
    assert "abacus" in done.stdout + done.stderr
    assert "no tests ran" in done.stdout


def test_some_of_the_questions_are_enough_for_whoever_asks_no_more(tmp_path: Path) -> None:
    options = ("--pyargs", "plugrad_conformance", "--backend", "numpy", "--operators", "tanh")
    done = pytest_in(tmp_path, *options, "--level", "0", "-k", "test_values and tanh-float32")
    assert done.returncode == 0, done.stdout
    asked = sum(str(row).startswith("tanh-float32") for row in rows())
    assert f"{asked} of " in done.stdout
    assert f"plugrad conformance, numpy: {asked} rows: {asked} right" in done.stdout


def test_option_alone_imports_no_array_library(tmp_path: Path) -> None:
    program = (
        "import sys, plugrad_conformance.plugin;"
        "print(sorted({'numpy', 'plugrad', 'ml_dtypes'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
