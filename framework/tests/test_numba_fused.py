"""The Numba backend's fused kernels: that they answer, that they give what NumPy's give in every
order of memory and on any number of threads, and that they refuse what NumPy's refuse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plugrad as pg

pytest.importorskip("numba", reason="the Numba backend needs plugrad[numba]")

from plugrad_numba import (
    convolution,
    direct,
    indexing,
    loss,
    normalization,
    optimizer,
    pooling,
    reduction,
    sampling,
    threads,
)

from .numba_helpers import COUNT_PASSES, normal, of_numpy, places, run
from .numba_helpers import cache_of_this_run as cache_of_this_run

NUMPY = pg.device("numpy")
EPS = 1e-5


def leaves(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


def assert_agrees(kernel: Any, *arguments: Any, rtol: float = 2e-5, atol: float = 2e-5) -> None:
    """The kernel answers, as the program for several threads too, with what NumPy's gives."""
    want = of_numpy(kernel)(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "PAYING", 0)
        found = kernel(*arguments)
    assert found is not None
    for mine, other in zip(leaves(found), leaves(want), strict=True):
        assert (mine.dtype, mine.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=atol)


# who answers --------------------------------------------------------------------------------------

NATIVE = """
    layer_norm layer_norm_backward batch_norm batch_norm_backward batch_norm_inference cross_entropy
    cross_entropy_backward nll_loss nll_loss_backward mse_loss gather scatter scatter_ scatter_add
    scatter_add_ index_select index_add index_add_ index_backward index_put index_put_ embedding
    embedding_backward masked_select masked_fill_ nonzero max_pool max_pool_backward avg_pool
    avg_pool_backward convolution convolution_weight_gradient convolution_input_gradient philox
    uniform randint keep_mask sgd_step adam_step cast cumsum
"""


@pytest.mark.parametrize("name", NATIVE.split())
def test_numba_is_asked_first(name: str) -> None:
    assert pg.explain(name, device="numba").answers[0].plugin.startswith("plugrad_numba.")


def test_training_step_runs_on_kernels_alone() -> None:
    from plugrad import nn
    from plugrad.nn import functional as F

    pg.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64, 10),
        nn.LayerNorm(10),
    ).to("numba")
    steps = pg.optim.AdamW(model.parameters())
    owner = pg.backends.backend("numba")
    x, y = pg.randn(16, 1, 8, 8, device="numba"), pg.arange(16, device="numba") % 10
    before = owner.fallbacks.copy()
    F.cross_entropy(model(x), y).backward()
    steps.step()
    assert owner.fallbacks == before


PROGRAM = """
    from plugrad.nn import functional as F
    x = pg.rand(9, 4, 6, 6, device="numba", requires_grad=True)
    y = F.max_pool2d(F.batch_norm(x, None, None, training=True), 2).flatten(1)
    F.cross_entropy(F.dropout(F.layer_norm(y, (36,))), pg.arange(9, device="numba")).backward()
    pg.optim.Adam([x]).step()
    x.detach().reshape(-1, 9).cumsum(1)
    print(passes.count)
"""


def test_second_process_compiles_nothing(tmp_path: Path) -> None:
    first, second = [
        int(run(COUNT_PASSES + PROGRAM, PLUGRAD_CACHE=str(tmp_path))) for _ in range(2)
    ]
    assert first > second == 0


# orders in memory ---------------------------------------------------------------------------------


def orders(x: Any) -> list[Any]:
    """The same numbers in C order, with the first or second axis innermost, and with gaps."""
    gaps = np.repeat(x, 2, axis=-1)[..., ::2]
    return [x, *[np.moveaxis(np.moveaxis(x, axis, -1).copy(), -1, axis) for axis in (0, 1)], gaps]


@pytest.mark.parametrize("layout", range(4))
@pytest.mark.parametrize("shape", [(9, 4), (3, 5, 7), (2, 3, 4, 5)], ids=str)
def test_normalisation_agrees_in_every_order_of_memory(shape: Any, layout: int) -> None:
    x, g = orders(normal(*shape))[layout], normal(*shape)[::-1]
    weight, bias = normal(shape[-1]), normal(shape[-1])
    for one, other in ((weight, bias), (weight, None), (None, bias), (None, None)):
        assert_agrees(normalization.layer_norm, x, one, other, 1, EPS)
    assert_agrees(normalization.layer_norm_backward, g, x, weight, 1, EPS, atol=1e-4)
    weight, bias = normal(shape[1]), normal(shape[1])
    for one, other in ((weight, bias), (weight, None), (None, bias), (None, None)):
        assert_agrees(normalization.batch_norm, x, one, other, EPS)
        statistics = (normal(shape[1]), np.abs(normal(shape[1])))
        assert_agrees(normalization.batch_norm_inference, x, *statistics, one, other, EPS)
    assert_agrees(normalization.batch_norm_backward, g, x, weight, EPS, atol=1e-4)


@pytest.mark.parametrize("layout", range(4))
@pytest.mark.parametrize("shape", [(9, 4), (3, 5, 7), (2, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_class_losses_agree_in_every_order_of_memory(
    shape: Any, layout: int, reduction: str
) -> None:
    x, target = orders(normal(*shape))[layout], places(shape[1], shape[0], *shape[2:])
    g = normal(*target.shape) if reduction == "none" else np.asarray(normal())
    for weight, ignored in ((None, -100), (np.abs(normal(shape[1])), 2)):
        rest = (target, weight, ignored, reduction)
        assert_agrees(loss.cross_entropy, x, *rest)
        assert_agrees(loss.nll_loss, x, *rest)
        assert_agrees(loss.cross_entropy_backward, g, x, *rest)
        assert_agrees(loss.nll_loss_backward, g, target, weight, shape, ignored, reduction)


@pytest.mark.parametrize("layout", range(4))
@pytest.mark.parametrize("batch", [2, 9])
def test_pooling_agrees_in_every_order_of_memory(batch: int, layout: int) -> None:
    x = orders(normal(batch, 3, 8, 7))[layout]
    x[0, 0, 2, 2] = x[0, 1, 3, 3] = np.nan
    x[0, 2] = 1.0
    for window in (((2, 2), (2, 2), (0, 0)), ((3, 2), (2, 1), (1, 1)), ((3, 3), (4, 4), (1, 1))):
        for ceil_mode in (False, True):
            assert_agrees(pooling.max_pool, x, *window, (1, 1), ceil_mode)
            for rest in ((False, None), (True, None), (True, 5)):
                assert_agrees(pooling.avg_pool, x, *window, ceil_mode, *rest)
                g = normal(*pooling.avg_pool(x, *window, ceil_mode, *rest).shape)
                rest = ((8, 7), *window, ceil_mode, *rest)
                assert_agrees(pooling.avg_pool_backward, g, *rest)
        values, positions = pooling.max_pool(x, *window, (1, 1), False)
        assert_agrees(pooling.max_pool_backward, normal(*values.shape), positions, (8, 7))


def test_pooling_agrees_on_lines_volumes_and_dilated_windows() -> None:
    line, volume = normal(2, 3, 11), normal(9, 2, 4, 5, 6)
    assert_agrees(pooling.max_pool, line, (3,), (2,), (1,), (2,), False)
    assert_agrees(pooling.max_pool, volume, (2,) * 3, (2, 1, 2), (1,) * 3, (1, 2, 1), True)
    assert_agrees(pooling.avg_pool, volume, (2,) * 3, (2, 1, 2), (1,) * 3, True, False, None)


def test_position_that_no_window_gave_is_refused() -> None:
    g, wrong = normal(1, 1, 2), np.array([[[0, 7]]])
    assert pooling.max_pool_backward(g, wrong, (4,)) is None


CONVOLUTIONS = {
    # shape of the input, of the weight, stride, padding, dilation, groups
    "columns": ((2, 3, 6, 5), (4, 3, 3, 2), (2, 1), (1, 0), (1, 2), 1),
    "grouped": ((2, 4, 6, 5), (6, 2, 3, 3), (1, 1), (1, 1), (1, 1), 2),
    "line": ((2, 3, 9), (4, 3, 3), (1,), (1,), (1,), 1),
    "volume": ((2, 2, 3, 4, 3), (3, 2, 2, 2, 2), (1, 1, 2), (1, 0, 1), (1, 1, 1), 1),
    "thin": ((32, 3, 6, 5), (6, 1, 3, 3), (1, 1), (1, 1), (1, 1), 3),
    "thin_stride": ((64, 3, 6, 6), (3, 1, 3, 3), (2, 2), (1, 1), (1, 1), 3),
    "thin_dilated": ((64, 2, 7, 7), (2, 1, 2, 2), (1, 1), (3, 3), (2, 3), 2),
    # runs of whole vectors and less, filters in fours and not, more taps than are taken together
    "direct": ((16, 5, 9, 19), (8, 5, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "direct_grouped": ((9, 6, 7, 31), (10, 3, 3, 2), (1, 1), (1, 0), (1, 2), 2),
    "direct_rows": ((8, 40, 9, 35), (7, 40, 3, 3), (2, 1), (1, 0), (1, 1), 1),
    "direct_line": ((31, 4, 20), (4, 4, 5), (1,), (2,), (1,), 1),
    "direct_volume": ((16, 3, 4, 5, 17), (5, 3, 2, 3, 2), (1, 1, 1), (0, 1, 1), (1, 1, 1), 1),
    "direct_margin": ((16, 3, 5, 18), (3, 3, 2, 2), (1, 1), (2, 2), (1, 1), 1),
}


@pytest.mark.parametrize("layout", range(4))
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_agrees_in_every_order_of_memory(name: str, layout: int) -> None:
    shape, filters, *rest = CONVOLUTIONS[name]
    x, weight = orders(normal(*shape))[layout], normal(*filters)
    if name.startswith("direct"):
        out = convolution.convolution(x, weight, None, *rest).shape[2:]
        counts = filters[0] // rest[-1], filters[1]
        assert direct.sums_serve(x, counts, filters[2:], out, rest[0])
    for bias in (None, normal(filters[0])):
        assert_agrees(convolution.convolution, x, weight, bias, *rest, atol=1e-4)
    g = orders(normal(*convolution.convolution(x, weight, None, *rest).shape))[layout]
    gradient = convolution.convolution_weight_gradient
    assert_agrees(gradient, g, x, filters[2:], *rest, rtol=1e-4, atol=2e-3)
    gradient = convolution.convolution_input_gradient
    if name in ("direct_rows", "direct_margin"):  # a stride, and more padding than filter
        assert gradient(g, weight, shape[2:], *rest) is None
    elif name.startswith(("thin", "direct")):
        assert_agrees(gradient, g, weight, shape[2:], *rest, atol=1e-4)


def test_direct_convolution_agrees_in_double_precision() -> None:
    shape, filters, *rest = CONVOLUTIONS["direct"]
    x, weight = normal(*shape, dtype=np.float64), normal(*filters, dtype=np.float64)
    assert_agrees(convolution.convolution, x, weight, None, *rest, rtol=1e-12, atol=1e-11)
    g = convolution.convolution(x, weight, None, *rest)
    gradient = convolution.convolution_weight_gradient
    assert_agrees(gradient, g, x, filters[2:], *rest, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("layout", range(4))
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_running_sums_agree_in_every_order_of_memory(dtype: Any, layout: int) -> None:
    x = orders(normal(12, 11, 10, dtype=dtype))[layout]
    for dim in range(3):
        assert_agrees(reduction.cumsum, x, dim, atol=1e-4)


# optimizer steps ----------------------------------------------------------------------------------


def state(dtype: Any) -> tuple[Any, ...]:
    groups = [[normal(n, 3, dtype=dtype) + k for n in (1, 2, 50)] for k in range(5)]
    return (*map(tuple, groups[:3]), *[tuple(map(np.abs, group)) for group in groups[3:]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight_decay", [0, 0.1])
@pytest.mark.parametrize("maximize", [False, True])
def test_optimizer_steps_agree(dtype: Any, weight_decay: float, maximize: bool) -> None:
    def both(kernel: Any, present: list[bool], *rest: Any) -> None:
        results = []
        for each in (kernel, of_numpy(kernel)):
            arrays = [a if keep else None for a, keep in zip(state(dtype), present)]
            assert each(*arrays, *rest) is not None
            results.append(np.concatenate([x.ravel() for group in arrays if group for x in group]))
        np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)

    for momentum, dampening, nesterov in ((0, 0, False), (0.9, 0.5, False), (0.9, 0, True)):
        rest = (0.1, momentum, dampening, weight_decay, nesterov, maximize)
        both(optimizer.sgd_step, [True, True, momentum > 0], *rest)
    for decoupled in (False, True):
        for top in (False, True):
            rest = ((1, 2, 3), 0.1, 0.9, 0.999, 1e-8, weight_decay, decoupled, maximize)
            both(optimizer.adam_step, [True] * 4 + [top], *rest)


@pytest.mark.parametrize("weight_decay", [0, 0.1])
@pytest.mark.parametrize("maximize", [False, True])
def test_steps_by_the_size_of_gradients_agree(weight_decay: float, maximize: bool) -> None:
    def both(kernel: Any, places: tuple[int | None, ...], *rest: Any) -> None:
        results = []
        for each in (kernel, of_numpy(kernel)):
            made = [*state(np.float64)]
            made[3] = tuple(x + 99 for x in made[3])  # above the squares of the means
            arrays = [None if i is None else made[i] for i in places]
            assert each(*arrays, *rest) is not None
            results.append(np.concatenate([x.ravel() for group in arrays if group for x in group]))
        np.testing.assert_allclose(*results, rtol=1e-12)

    for averages, momenta in ((None, None), (None, 2), (4, None), (4, 2)):
        rest = (0.1, 0.9, 1e-3, weight_decay, 0.5, maximize)
        both(optimizer.rmsprop_step, (0, 1, 3, averages, momenta), *rest)
    rest = ((1, 2, 9), 0.1, 0.2, 1e-3, weight_decay, maximize)
    both(optimizer.adagrad_step, (0, 1, 3), *rest)


def test_parameter_with_gaps_is_left_to_numpy_untouched() -> None:
    whole, gaps = normal(4), normal(8)[::2]
    before = whole.copy()
    rest = ((whole, gaps), None, 0.1, 0, 0, 0, False, False)
    assert optimizer.sgd_step((whole, gaps), *rest) is None
    np.testing.assert_array_equal(whole, before)


# threads ------------------------------------------------------------------------------------------

WIDE = normal(2 * threads.PAYING // 50, 50)
SHARED = {
    normalization.layer_norm: (WIDE, WIDE[0], None, 1, EPS),
    normalization.layer_norm_backward: (WIDE[::-1], WIDE, WIDE[0], 1, EPS),
    normalization.batch_norm: (WIDE.reshape(20, 50, -1), None, None, EPS),
    loss.cross_entropy: (WIDE, places(50, len(WIDE)), None, -1, "mean"),
    loss.mse_loss: (WIDE, WIDE[::-1], "sum"),
    indexing.scatter_add: (normal(3, 2000), places(3, 200, 2000), WIDE.reshape(200, 2000), 0),
    indexing.embedding_backward: (WIDE, places(30, len(WIDE)), 30, None),
    pooling.max_pool: (WIDE.reshape(16, 10, 50, 50), (2, 2), (2, 2), (0, 0), (1, 1), False),
    sampling.keep_mask: (5, 0, 0.3, WIDE.shape, pg.float32, NUMPY),
    reduction.cumsum: (WIDE, 0),
}


@pytest.mark.parametrize("kernel", SHARED, ids=lambda kernel: kernel.__name__)
def test_result_does_not_depend_on_the_number_of_threads(
    kernel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if threads._most < 2:
        pytest.skip("one processor, or NUMBA_NUM_THREADS=1")
    claims: list[int] = []
    taken = threads.taken
    monkeypatch.setattr(threads, "taken", lambda: claims.append(1) or taken())
    monkeypatch.setattr(threads, "_count", 2)
    shared = kernel(*SHARED[kernel])
    assert claims
    monkeypatch.setattr(threads, "_count", 1)
    for one, other in zip(leaves(shared), leaves(kernel(*SHARED[kernel])), strict=True):
        np.testing.assert_array_equal(one, other)
