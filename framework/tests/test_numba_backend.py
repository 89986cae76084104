"""The Numba backend: what it keeps on disk, how it uses threads, what it leaves to NumPy. That its
results are right is the conformance kit's question.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plugrad as pg

pytest.importorskip("numba", reason="the Numba backend needs plugrad[numba]")

from numba import cfunc

from plugrad_numba import (
    activation,
    cache,
    compiling,
    elementwise,
    layout,
    loops,
    reduction,
    threads,
)

from .numba_helpers import COUNT_PASSES, run
from .numba_helpers import cache_of_this_run as cache_of_this_run

LARGE = 4 * threads.PAYING


@pytest.fixture
def two_threads() -> Iterator[None]:
    if threads._most < 2:
        pytest.skip("one processor, or NUMBA_NUM_THREADS=1")
    before = pg.get_num_threads()
    pg.backends.backend("numba")
    pg.set_num_threads(2)
    yield
    pg.set_num_threads(before)


def normal(*shape: int, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(0).normal(0, 2, shape).astype(dtype)


# the cache on disk --------------------------------------------------------------------------------

COUNT_COMPILATIONS = (
    COUNT_PASSES
    + """
    x = pg.ones(3, 4, device="numba")
    x.exp(); x.softmax(1); x.to(pg.float64).softmax(0)
    pg.ones(1_000_000, device="numba").tanh()
    from plugrad_numba.activation import _softmax_rows
    stats = _softmax_rows.serial.stats
    print(passes.count, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""
)


def test_second_process_compiles_nothing(tmp_path: Path) -> None:
    first = [int(word) for word in run(COUNT_COMPILATIONS, PLUGRAD_CACHE=str(tmp_path)).split()]
    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    second = run(COUNT_COMPILATIONS, PLUGRAD_CACHE=str(tmp_path))
    assert first[0] > 0
    assert first[1:] == [0, 1]
    assert second == "0 1 0"
    assert files == {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*") if f.is_file()}


def test_cache_lies_in_the_users_folder_and_not_beside_the_sources(tmp_path: Path) -> None:
    program = """
        import numba, plugrad as pg
        before = numba.config.CACHE_DIR
        pg.ones(3, device="numba").exp()
        from plugrad_numba import cache
        print(cache.cache_folder(), numba.config.CACHE_DIR == before)
    """
    folder, untouched = run(program, XDG_CACHE_HOME=str(tmp_path), PLUGRAD_CACHE="").split()
    assert untouched == "True"
    if sys.platform == "linux":
        assert Path(folder).is_relative_to(tmp_path / "plugrad")
        assert list(Path(folder).iterdir())
    package = Path(compiling.__file__).parent
    assert [*package.rglob("*.nbi"), *package.rglob("*.nbc")] == []


def test_cache_folder_tells_versions_and_sources_apart() -> None:
    name = cache.cache_folder().name
    for part in (f"numba{cache.numba.__version__}", f"numpy{np.__version__}"):
        assert part in name
    assert cache._digest_of_package() in name


def double(x: Any, out: Any) -> None:
    for i in range(x.size):
        out[i] = x[i] + x[i]


def doubles() -> list[float]:
    """What a kernel computes that nothing but its cache has seen before."""
    out = np.empty(2, np.float32)
    compiling.Compiled(double, name="test.double")(2, np.ones(2, np.float32), out)
    return out.tolist()


def test_file_that_was_cut_off_is_compiled_again(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    assert doubles() == [2, 2]
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for rest in (b"", whole[: len(whole) // 2], b"nonsense"):
        file.write_bytes(rest)
        assert doubles() == [2, 2]
        assert len(file.read_bytes()) > len(whole) // 2


def test_kernels_work_where_nothing_can_be_written(tmp_path: Path, monkeypatch: Any) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    monkeypatch.setattr(cache, "cache_folder", lambda: place)
    assert doubles() == [2, 2]


def test_two_dtypes_of_a_kernel_have_a_file_each(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    for dtype in (np.float32, np.float64):
        kernel = compiling.Compiled(double, name="test.double")
        kernel(2, np.ones(2, dtype), np.empty(2, dtype))
    assert len(list(tmp_path.glob("test.double-*"))) == 2


# threads ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "arguments"),
    [
        (elementwise.exp, (normal(LARGE),)),
        (activation.gelu_backward, (normal(LARGE), normal(LARGE)[::-1].copy())),
        (activation.softmax, (normal(LARGE // 32, 32), 1)),
        (activation.softmax, (normal(40, LARGE // 40), 0)),
        (activation.log_softmax, (normal(LARGE // 1000, 1000), 1)),
        (reduction.sum, (normal(LARGE), (0,), False)),
        (reduction.sum, (normal(LARGE // 5, 5), (1,), False)),
        (reduction.amax, (normal(LARGE // 5, 5), (0,), False)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_result_does_not_depend_on_the_number_of_threads(
    kernel: Any, arguments: Any, two_threads: None
) -> None:
    shared = kernel(*arguments)
    pg.set_num_threads(1)
    np.testing.assert_array_equal(shared, kernel(*arguments))


def test_large_calls_go_to_the_threads_and_small_ones_do_not(
    monkeypatch: Any, two_threads: None
) -> None:
    claims = []
    taken = threads.taken
    monkeypatch.setattr(threads, "taken", lambda: claims.append(1) or taken())
    activation.softmax(normal(10, 10), 1)
    elementwise.exp(normal(100))
    assert not claims
    activation.softmax(normal(LARGE // 10, 10), 1)
    elementwise.exp(normal(LARGE))
    assert len(claims) == 2


def test_number_of_threads_governs_kernels_and_blas(two_threads: None) -> None:
    from threadpoolctl import threadpool_info

    for count in (1, 2):
        pg.set_num_threads(count)
        blas = [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
        assert (pg.get_num_threads(), set(blas)) == (count, {count})
        with threads.taken() as free:
            assert free == (count > 1)


def test_what_the_user_told_numba_holds_after_a_call(two_threads: None) -> None:
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    elementwise.exp(normal(LARGE))
    assert numba.get_num_threads() == 1
    numba.set_num_threads(before)


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_kernels_may_be_called_from_several_python_threads(layer: str) -> None:
    program = f"""
        from concurrent.futures import ThreadPoolExecutor
        import plugrad as pg
        x = pg.linspace(-3, 3, {LARGE}, device="numba")
        pg.set_num_threads(2)
        want = x.exp().sum().item()
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda _: x.exp().sum().item(), range(60)))
        print(set(found) == {{want}})
    """
    assert run(program, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2") == "True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_child_after_a_fork_computes_on_one_thread(layer: str) -> None:
    program = f"""
        import os, warnings
        import plugrad as pg
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        x = pg.linspace(-3, 3, {LARGE}, device="numba")
        want = x.exp().sum().item()
        child = os.fork()
        if not child:
            os._exit(0 if x.exp().sum().item() == want and pg.get_num_threads() == 1 else 1)
        print(os.waitpid(child, 0)[1])
    """
    assert run(program, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2") == "0"


def test_first_calls_from_several_threads_compile_once_and_agree() -> None:
    x = normal(1000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: elementwise.log10(np.abs(x)), range(32)))
    for each in found:
        np.testing.assert_array_equal(each, found[0])


# what is left to NumPy ----------------------------------------------------------------------------


def test_operators_without_a_kernel_are_answered_by_numpy() -> None:
    kernels = [answer.plugin for answer in pg.explain("exp", device="numba").answers]
    assert kernels[:2] == ["plugrad_numba.elementwise", "plugrad_numpy.elementwise"]
    assert pg.explain("matmul", device="numba").answers[0].plugin == "plugrad_numpy.linalg"


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16, pg.complex64])
def test_dtypes_without_a_kernel_are_answered_by_numpy(dtype: pg.dtype) -> None:
    x = pg.tensor([0.5, -1.0], dtype=dtype, device="numba")
    assert elementwise.exp(x.native()) is None
    assert pg.equal(x.exp().to("numpy"), x.to("numpy").exp())


def test_storage_is_shared_with_numpy() -> None:
    array = np.zeros(3, np.float32)
    x = pg.from_numpy(array).to("numba")
    y = pg.as_tensor(array, device="numba")
    array[0] = 1
    assert y.tolist() == [1, 0, 0]
    assert x.device == y.device == pg.device("numba")


def test_backend_without_numba_says_what_to_install() -> None:
    program = """
        import sys
        sys.modules["numba"] = None
        import plugrad as pg
        from plugrad.inventory import backend_state
        state = backend_state("numba")
        print(state.condition, state.reason, sep=": ")
    """
    said = run(program)
    assert said.startswith("import failed")
    assert "pip install 'plugrad[numba]'" in said


# layouts ------------------------------------------------------------------------------------------


def test_kernels_along_an_axis_keep_the_order_in_memory_and_copy_nothing() -> None:
    x = normal(6, 5, 4).transpose(2, 0, 1)
    assert layout.memory_order(x) == (1, 2, 0)
    assert layout.memory_order(x[:, ::2]) is None
    out = activation.softmax(x, 1)
    assert out.strides == x.strides
    np.testing.assert_allclose(out, activation.softmax(x.copy(), 1), rtol=1e-6)


@pytest.mark.parametrize("kernel", [elementwise.exp, activation.relu])
def test_formula_gives_the_same_for_every_stride(kernel: Any) -> None:
    x = normal(40, 60)
    want = kernel(x)
    np.testing.assert_array_equal(kernel(x.T), want.T)
    np.testing.assert_array_equal(kernel(x[::2, ::3]), want[::2, ::3])
    np.testing.assert_array_equal(kernel(x[::-1]), want[::-1])
    out = np.zeros((40, 120), np.float32)
    assert kernel(np.broadcast_to(x[:1], x.shape)).shape == x.shape
    assert not out.any()


@pytest.mark.parametrize("shapes", [((3, 1), (1, 4)), ((), (3, 4)), ((3, 4), ()), ((0, 3), (1, 3))])
def test_formula_of_two_broadcasts(shapes: Any) -> None:
    g, x = (np.asarray(normal(*shape)) for shape in shapes)
    full = np.broadcast_shapes(*shapes)
    whole = [np.array(np.broadcast_to(each, full)) for each in (g, x)]
    np.testing.assert_array_equal(activation.silu_backward(g, x), activation.silu_backward(*whole))


# formulas -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "erf"])
def test_loops_around_formulas_are_vectorised(name: str, dtype: str) -> None:
    formula = compiling.inlined(getattr(elementwise, name).__wrapped__)
    loop = loops._loop_of_one(formula, np.dtype(dtype).itemsize)
    options = {"error_model": "numpy", "fastmath": set(compiling.FUSING)}
    made: Any = cfunc(loops._signature(loops._TYPES[dtype]), **options)(loop)
    kind = {"f": "float", "d": "double"}[dtype]
    products = [line for line in made.inspect_llvm().splitlines() if " fmul " in line]
    assert any(f"x {kind}>" in line for line in products)


LIMITS = {"f": np.finfo(np.float32), "d": np.finfo(np.float64)}


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_exponentials_reach_both_ends_of_the_range(dtype: str) -> None:
    limits = LIMITS[dtype]
    top = np.log(np.longdouble(limits.max))
    bottom = np.log(np.longdouble(limits.smallest_subnormal))
    x = np.array([top - 0.1, top + 0.1, bottom + 1, bottom - 1], dtype)
    largest, infinite, least, nothing = elementwise.exp(x)
    assert largest == pytest.approx(float(np.exp(np.longdouble(x[0]))), rel=1e-5)
    assert (infinite, nothing) == (np.inf, 0)
    assert 0 < least <= 4 * limits.smallest_subnormal
    # sinh and cosh overflow later than exp.
    later = np.array([top + 0.5], dtype)
    for function in (elementwise.sinh, elementwise.cosh):
        want = float(np.exp(np.longdouble(later[0])) / 2)
        assert float(function(later)[0]) == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_logarithms_of_subnormal_numbers_are_right(dtype: str) -> None:
    x = np.array([1, 3, 1000], dtype) * LIMITS[dtype].smallest_subnormal
    want = np.log(x.astype(np.longdouble))
    np.testing.assert_allclose(elementwise.log(x), want.astype(dtype), rtol=LIMITS[dtype].eps)
    np.testing.assert_allclose(
        elementwise.log2(x), (want / np.log(np.longdouble(2))).astype(dtype), rtol=LIMITS[dtype].eps
    )


@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "sinh", "erf"])
def test_small_numbers_and_signed_zeros_are_kept(name: str) -> None:
    x = np.array([-0.0, 0.0, 1e-30, -1e-30], np.float32)
    want = x * np.float32(2 / np.sqrt(np.pi) if name == "erf" else 1)
    found = getattr(elementwise, name)(x)
    np.testing.assert_allclose(found, want, rtol=3e-7)
    assert np.signbit(found).tolist() == [True, False, False, True]


def test_long_sums_stay_accurate() -> None:
    x = np.full(10_000_019, 0.1, np.float32)
    exact = float(x[0]) * x.size
    assert float(reduction.sum(x, (0,), False)) == pytest.approx(exact, rel=3e-7)
    columns = np.full((1_000_003, 3), 0.1, np.float32)
    np.testing.assert_allclose(
        reduction.sum(columns, (0,), False), float(x[0]) * len(columns), rtol=1e-4
    )
