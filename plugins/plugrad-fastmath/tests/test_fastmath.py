"""The plugin: its accuracy, what it declines, its operator, and the kit's door for its cases."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import plugrad as pg
from plugrad.autograd import gradcheck, gradgradcheck
from plugrad_fastmath import squareplus


@pytest.fixture
def enabled() -> Iterator[None]:
    pg.backends.enable("fastmath", backend="numpy")
    yield
    pg.backends.unregister("fastmath")


def who_answers(name: str) -> str:
    return pg.explain(name, device="numpy").answers[0].function


@pytest.mark.usefixtures("enabled")
def test_erf_is_within_four_units_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(-6, 6, 200_001), np.geomspace(1e-37, 1, 20_001)])
    x = x.astype(np.float32)
    want = np.vectorize(math.erf)(x.astype(np.float64))
    got = pg.erf(pg.tensor(x)).numpy().astype(np.float64)
    assert np.max(np.abs(got - want) / np.maximum(np.abs(want), 1e-37)) < 4 * 2.0**-23


@pytest.mark.usefixtures("enabled")
def test_erf_of_another_dtype_is_left_to_the_backend() -> None:
    x = pg.tensor([0.5, -1.0], dtype=pg.float64)
    np.testing.assert_allclose(pg.erf(x).numpy(), [math.erf(0.5), math.erf(-1.0)], rtol=1e-15)


def test_kernels_answer_from_enable_on_and_no_longer() -> None:
    ours, theirs = "plugrad_fastmath.kernels.erf", "plugrad_numpy.elementwise.erf"
    assert who_answers("erf") == theirs
    pg.backends.enable("fastmath", backend="numpy")
    assert who_answers("erf") == ours
    pg.backends.unregister("fastmath")
    assert who_answers("erf") == theirs


def test_the_new_operator_works_without_its_kernel() -> None:
    x = pg.tensor([-3.0, 0.0, 3.0])
    assert squareplus(x, 16.0).tolist() == [1.0, 2.0, 4.0]


def test_the_new_operator_is_credited_to_the_plugin() -> None:
    body = pg.explain("squareplus", device="numpy").answers[-1]
    assert body.function.startswith("plugrad_fastmath.")
    assert body.plugin == "fastmath"
    assert body.distribution.startswith("plugrad-fastmath ")


@pytest.mark.usefixtures("enabled")
def test_the_new_operator_has_every_derivative() -> None:
    x = pg.tensor([-2.0, 0.0, 1.5], dtype=pg.float64, requires_grad=True)
    assert gradcheck(lambda x: squareplus(x, 4.0), (x,))
    assert gradgradcheck(lambda x: squareplus(x, 4.0), (x,))
    mapped = pg.func.vmap(lambda row: squareplus(row, 4.0))(pg.ones(2, 3))
    assert mapped.shape == (2, 3)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [(["--plugin", "fastmath"], 0, "plugrad_fastmath"), ([], 1, "there is no 'squareplus'")],
)
def test_the_kit_asks_about_the_operator_of_a_plugin_that_it_is_told_of(
    tmp_path: Path, options: list[str], status: int, said: str
) -> None:
    pytest.importorskip("plugrad_conformance")
    command = [sys.executable, "-m", "plugrad_conformance", "--backend", "numpy", "--level", "1"]
    command += ["--operators", "squareplus", "--dtypes", "float32", "--workers", "1", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(status), done.stdout + done.stderr
    assert said in done.stdout + done.stderr
