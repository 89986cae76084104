"""The Numba backend's kernels that move, count or draw: elements by position, random streams and
casts are NumPy's to the bit, and positions outside are refused in its words.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import plugrad as pg

pytest.importorskip("numba", reason="the Numba backend needs plugrad[numba]")

from plugrad_numba import copying, creation, indexing, sampling, threads

from .numba_helpers import cache_of_this_run as cache_of_this_run
from .numba_helpers import normal, of_numpy, places

NUMPY = pg.device("numpy")


def assert_agrees(kernel: Any, *arguments: Any, atol: float = 1e-5) -> None:
    """The kernel answers, as the program for several threads too, with what NumPy's gives."""
    want = of_numpy(kernel)(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "PAYING", 0)
        found = kernel(*arguments)
    assert found is not None
    assert (found.dtype, found.shape) == (want.dtype, want.shape)
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=atol)


# positions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_elements_by_position_agree(dim: int, dtype: Any) -> None:
    x = normal(6, 5, 4, dtype=dtype)
    shape = (*x.shape[:dim], 9, *x.shape[dim + 1 :])
    index, source = places(x.shape[dim], *shape), normal(*shape, dtype=dtype)
    assert_agrees(indexing.gather, x, index, dim)
    assert_agrees(indexing.scatter_add, x, index, source, dim)
    once = np.argsort(normal(*x.shape), axis=dim)
    assert_agrees(indexing.scatter, x, once, normal(*x.shape, dtype=dtype), dim)
    row = places(x.shape[dim], 9)
    assert_agrees(indexing.index_add, x, row, source, dim)
    signed = (None,) * dim + (row - (row > 2) * x.shape[dim],)
    assert_agrees(indexing.index_put, x, signed, source, True)
    assert_agrees(indexing.index_put, x, signed, np.asarray(x[0, 0, 0]), True)
    assert_agrees(indexing.index_backward, source, signed, x.shape)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, ml_dtypes.bfloat16, np.float32, np.int64])
def test_moved_elements_keep_their_bits(dtype: Any) -> None:
    x, index = normal(50, 40, dtype=dtype), places(40, 50, 30)
    assert_agrees(indexing.gather, x, index, 1)
    assert_agrees(indexing.scatter, x, np.argsort(normal(50, 40), 1), x[::-1], 1)
    assert_agrees(indexing.index_select, x, places(40, 100), 1)
    mask = normal(50, 40) > 0
    assert_agrees(indexing.masked_select, x, mask)
    assert_agrees(indexing.nonzero, mask)
    found, want = x.copy(), x.copy()
    assert indexing.masked_fill_(found, mask, x[0, 0]) is found
    want[mask] = x[0, 0]
    np.testing.assert_array_equal(found, want)


def test_source_in_the_memory_that_is_written_is_read_first() -> None:
    for kernel in (indexing.scatter_, indexing.scatter_add_, indexing.index_add_):
        results = []
        for each in (kernel, of_numpy(kernel)):
            x = np.arange(7.0)
            arguments = (np.array([6, 0, 1, 3, 4, 5]), x[:6], 0)
            results.append(each(x, *arguments).tolist())
        assert results[0] == results[1]


@pytest.mark.parametrize("padding_idx", [None, 3])
def test_embedding_and_its_gradient_agree(padding_idx: Any) -> None:
    index = places(20, 700, 2)
    assert_agrees(indexing.embedding, normal(20, 160), index, padding_idx)
    assert_agrees(indexing.embedding_backward, normal(700, 2, 8), index, 20, padding_idx, atol=1e-4)


@pytest.mark.parametrize("wrong", [-1, 5])
def test_position_outside_raises_numpys_error(wrong: int) -> None:
    x = pg.ones(5, 3000, device="numba")
    index = pg.tensor([0, wrong], device="numba")
    rows = index.reshape(2, 1).expand(2, 3000)
    calls = (
        lambda on: x.to(on).gather(0, rows.to(on)),
        lambda on: x.to(on).scatter_add(0, rows.to(on), x[:2].to(on)),
        lambda on: x.to(on).index_add(0, index.to(on), x[:2].to(on)),
        lambda on: pg.nn.functional.embedding(index.to(on), x.to(on)),
        lambda on: pg.nn.functional.cross_entropy(x[:2, :5].to(on), index.to(on)),
        lambda on: pg.nn.functional.nll_loss(x[:2, :5].to(on), index.to(on)),
    )
    for call in calls:
        said = []
        for device in ("numba", "numpy"):
            with pytest.raises(pg.errors.RangeError) as caught:
                call(device)
            said.append(str(caught.value))
        assert said[0] == said[1]


# random streams -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 7, (1 << 64) - 1])
@pytest.mark.parametrize("count", [0, 1, 5, 257, 70001])
def test_random_streams_are_numpys_to_the_bit(seed: int, count: int) -> None:
    offset = (1 << 34) - 8
    calls = [(sampling.philox, (seed, offset, count, NUMPY))]
    for dtype in (pg.float32, pg.float64):
        calls.append((sampling.uniform, (seed, offset, (count,), dtype, NUMPY)))
        calls += [
            (sampling.keep_mask, (seed, offset, p, (count,), dtype, NUMPY))
            for p in (0.1, 0.5, 1e-9, 1 - 1e-9)
        ]
    calls += [
        (sampling.randint, (seed, offset, low, high, (count,), pg.int64, NUMPY))
        for low, high in ((0, 10), (-5, 1 << 40), (-(1 << 62), 1 << 61))
    ]
    for kernel, arguments in calls:
        assert kernel(*arguments).tobytes() == of_numpy(kernel)(*arguments).tobytes()


def test_dropout_keeps_the_same_elements_on_both_backends() -> None:
    x = pg.linspace(-1, 1, 10_007)
    kept = []
    for device in ("numpy", "numba"):
        pg.manual_seed(3)
        kept.append(pg.nn.functional.dropout(x.to(device), 0.3).tolist())
    assert kept[0] == kept[1]


# casts --------------------------------------------------------------------------------------------


def test_every_half_becomes_the_same_single() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    np.testing.assert_array_equal(creation.cast(halves, pg.float32), halves.astype(np.float32))


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16])
def test_singles_are_rounded_to_halves_as_by_numpy(dtype: pg.dtype) -> None:
    native = np.dtype(ml_dtypes.bfloat16 if dtype is pg.bfloat16 else np.float16)
    # Every half, the numbers halfway between two, and their neighbours; and any bits at all.
    halves = np.arange(1 << 16, dtype=np.uint16).view(native).astype(np.float32).view(np.uint32)
    tie = np.uint32(1 << (15 if dtype is pg.bfloat16 else 12))
    near = [halves, *[halves + tie + np.uint32(step) for step in (-1 % (1 << 32), 0, 1)]]
    bits = np.concatenate([*near, places(1 << 32, 1 << 18).astype(np.uint32)])
    x = bits.view(np.float32)
    with np.errstate(all="ignore"):
        want = x.astype(native)
    found = creation.cast(x, dtype)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(want))
    kept = ~np.isnan(x)
    np.testing.assert_array_equal(found[kept].view(np.uint16), want[kept].view(np.uint16))


# copies -------------------------------------------------------------------------------------------


def moved(dtype: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    x = np.random.default_rng(0).integers(0, 99, shape)
    return x.astype(dtype).transpose(axes)


@pytest.mark.parametrize("dtype", ["?", "f2", "i4", "f8", "c8"])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((300, 129), (1, 0)),
        ((7, 64, 65), (2, 0, 1)),
        ((3, 40, 5, 70), (0, 3, 1, 2)),
        ((6, 33, 4, 65), (3, 2, 1, 0)),
    ],
)
def test_a_copy_of_moved_axes_lies_in_order(dtype: str, shape: Any, axes: Any) -> None:
    x = moved(dtype, shape, axes)
    assert_agrees(copying.clone, x)
    assert copying.clone(x).flags.c_contiguous


@pytest.mark.parametrize(
    ("dtype", "shape", "axes"),
    [("f4", (5, 64, 8, 32), (0, 2, 1, 3)), ("c16", (300, 129), (1, 0)), ("f4", (9, 9), (1, 0))],
    ids=["in runs", "wide elements", "small"],
)
def test_copies_that_numpy_makes_as_well_are_left_to_it(dtype: str, shape: Any, axes: Any) -> None:
    assert copying.clone(moved(dtype, shape, axes)) is None
