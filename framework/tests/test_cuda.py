"""`plugrad.cuda` over the stand-in for CuPy, and what is said where CUDA is missing.

Each question about devices is a program of its own: the stand-in must be the `cupy` of a process
from its start, and must not be that of others.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import plugrad as pg
from plugrad import discovery
from plugrad.errors import BackendImportError, DeviceError, OutOfMemoryError, UnsupportedError

STANDIN = Path(__file__).parents[2] / "backends" / "tests" / "standin"
BANNER = "stand-in for cupy: NOT CUDA, NumPy on the CPU"


def run(program: str, **environment: str) -> str:
    """What a program prints whose `cupy` is the stand-in."""
    script = "import plugrad as pg\n" + textwrap.dedent(program)
    paths = [str(STANDIN), *filter(None, [os.environ.get("PYTHONPATH")])]
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=known,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert BANNER in done.stderr or "cupy" not in sys.modules
    return done.stdout.strip()


# without a device ---------------------------------------------------------------------------------


@pytest.fixture
def no_cuda(monkeypatch):
    """No CuPy at all, whatever is installed."""
    for name in [name for name in sys.modules if name.split(".")[0] == "plugrad_cupy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cupy", None)
    pg.backends.unload("cuda")
    yield
    pg.backends.unload("cuda")


def test_nothing_is_available_and_nothing_raises_without_cupy(no_cuda):
    assert pg.cuda.is_available() is False
    assert pg.cuda.device_count() == 0
    pg.cuda.empty_cache()


def test_missing_cupy_is_answered_with_the_pip_lines(no_cuda):
    with pytest.raises(BackendImportError, match=r"plugrad\[cuda12\].*plugrad\[cuda13\]"):
        pg.zeros(3, device="cuda")


def test_other_imports_that_fail_are_to_be_mended():
    assert "pip install" in discovery._way_out("cuda", ModuleNotFoundError("cupy"))
    assert "mend that import" in discovery._way_out("cuda", ImportError("libnvrtc.so"))
    assert "mend that import" in discovery._way_out("theirs", ModuleNotFoundError("x"))


def test_without_a_device_the_drivers_own_reason_is_told():
    told = run(
        """
        from plugrad.inventory import backend_state
        state = backend_state("cuda")
        print(state.condition, "|", state.reason)
        print(pg.cuda.is_available(), pg.cuda.device_count())
        """,
        STANDIN_DEVICES="0",
    )
    first, second = told.splitlines()
    assert first.startswith("no device | cudaErrorNoDevice: no CUDA-capable device is detected")
    assert second == "False 0"


def test_real_cupy_without_a_driver_leaves_the_backend_listed_with_the_reason():
    pytest.importorskip("cupy", reason="CuPy is not installed")
    program = """
        from plugrad.inventory import backend_state
        state = backend_state("cuda")
        print(state.condition, "|", state.version, "|", state.reason)
    """
    script = textwrap.dedent(program)
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run(
        [sys.executable, "-c", script], env=known, capture_output=True, text=True, check=True
    ).stdout
    condition, version, reason = told.strip().split(" | ")
    if condition == "ready":
        pytest.skip("there is a device")
    assert condition == "no device"
    assert version.startswith("cupy 1")
    assert "cudaError" in reason


def test_another_backend_says_which_service_it_lacks():
    with pytest.raises(DeviceError, match="numbered device"):
        pg.cuda.memory_allocated("numpy")


# the stand-in is never taken for CUDA -------------------------------------------------------------


def test_stand_in_says_what_it_is_wherever_a_version_or_a_name_is_asked():
    told = run(
        """
        from plugrad.inventory import backend_state
        print(backend_state("cuda").version)
        print(pg.cuda.get_device_name(0))
        print(pg.cuda.memory_summary().splitlines()[0])
        """
    )
    assert len(told.splitlines()) == 3
    assert all("NOT CUDA" in line for line in told.splitlines())


# devices ------------------------------------------------------------------------------------------


def test_cuda_without_an_index_means_the_current_device_of_the_thread():
    told = run(
        """
        import threading
        print(pg.cuda.is_available(), pg.cuda.device_count(), pg.cuda.current_device())
        with pg.cuda.device(1):
            print(pg.cuda.current_device(), pg.zeros(1, device="cuda").device)
            thread = threading.Thread(target=lambda: print(pg.zeros(1, device="cuda").device))
            thread.start()
            thread.join()
            with pg.cuda.device(None), pg.cuda.device(-1):
                print(pg.cuda.current_device())
        print(pg.cuda.current_device())
        pg.cuda.set_device("cuda:1")
        print(pg.zeros(1, device="cuda").device, pg.zeros(1, device="cuda:0").device)
        with pg.cuda.device_of(pg.zeros(1, device="cuda:0")):
            print(pg.cuda.current_device())
        with pg.cuda.device_of(pg.zeros(1)):
            print(pg.cuda.current_device())
        """
    )
    assert told.splitlines() == [
        "True 2 0",
        "1 cuda:1",
        "cuda:0",
        "1",
        "0",
        "cuda:1 cuda:0",
        "0",
        "1",
    ]


def test_device_that_is_not_there_is_refused():
    told = run(
        """
        for use in (lambda: pg.zeros(1, device="cuda:2"), lambda: pg.cuda.set_device(7)):
            try:
                use()
            except pg.errors.BackendUnavailableError as error:
                print(error)
        """
    )
    assert told.splitlines() == [
        "backend 'cuda': it has 2 devices, got 'cuda:2'",
        "backend 'cuda': it has 2 devices, got 'cuda:7'",
    ]


def test_copies_between_host_and_devices_keep_every_element():
    told = run(
        """
        import numpy as np
        for count in (0, 1, 5, 100_000):
            host = np.arange(count, dtype=np.float32)
            x = pg.tensor(host, device="cuda:0")
            host[:] = -1  # a copy that has not started yet must not see this
            y = x.to("cuda:1")
            x += 1
            back = y.to("numpy")
            assert y.device == pg.device("cuda:1")
            assert np.array_equal(back.numpy(), np.arange(count)), count
            assert np.array_equal(x.numpy(), np.arange(1, count + 1)), count
        wide = pg.arange(12, device="cuda").reshape(3, 4).t()
        assert wide.to("cuda:1").tolist() == wide.tolist()
        print("done")
        """
    )
    assert told == "done"


def test_every_thread_computes_on_the_compute_stream():
    # The stand-in refuses work on the legacy default stream, where a thread's CuPy begins.
    told = run(
        """
        import threading
        x = pg.ones(3, device="cuda:1")
        thread = threading.Thread(target=lambda: print((x + x).sum().item()))
        thread.start()
        thread.join()
        """
    )
    assert told == "6.0"


# memory -------------------------------------------------------------------------------------------


def test_memory_is_counted_in_blocks_with_its_peak():
    told = run(
        """
        x = pg.empty(1000, device="cuda")  # 4,000 bytes in blocks of 512
        assert pg.cuda.memory_allocated() == 4096, pg.cuda.memory_allocated()
        y = pg.empty(1 << 18, device="cuda")
        del y
        assert pg.cuda.memory_allocated() == 4096
        assert pg.cuda.max_memory_allocated() == 4096 + (1 << 20)
        assert pg.cuda.memory_reserved() >= 4096 + (1 << 20)
        pg.cuda.reset_peak_memory_stats()
        assert pg.cuda.max_memory_allocated() == 4096
        pg.cuda.empty_cache()
        assert pg.cuda.memory_reserved() == 4096
        assert pg.cuda.max_memory_reserved() == 4096 + (1 << 20)
        assert pg.cuda.memory_allocated(1) == 0
        free, total = pg.cuda.mem_get_info("cuda:0")
        assert total - free == 4096
        stats = pg.cuda.memory_stats()
        assert stats["allocated_bytes.all.current"] == 4096
        assert stats["active.all.current"] == 1
        del x
        print(pg.cuda.memory_allocated())
        print(pg.cuda.memory_summary())
        """
    )
    first, *summary = told.splitlines()
    assert first == "0"
    assert summary[0].startswith("cuda:0: stand-in 0")
    assert "reserved" in told


def test_training_leaves_no_memory_behind():
    told = run(
        """
        model = pg.nn.Linear(4, 3, device="cuda")
        optimizer = pg.optim.SGD(model.parameters(), lr=0.1)
        x = pg.randn(5, 4, device="cuda")
        held = []
        for _ in range(4):
            optimizer.zero_grad()
            (model(x) ** 2).sum().backward()
            optimizer.step()
            held.append(pg.cuda.memory_allocated())
        print(held[1] == held[2] == held[3])
        """
    )
    assert told == "True"


def test_out_of_memory_says_what_was_asked_used_and_free():
    told = run(
        """
        x = pg.empty(512, 512, device="cuda")
        try:
            pg.empty(1 << 20, device="cuda")
        except pg.cuda.OutOfMemoryError as error:
            print(error)
            print(error.device, error.asked, error.allocated, error.free, error.total)
        print(pg.empty(512, device="cuda").numel())
        """,
        STANDIN_BYTES=str(3 << 20),
    )
    assert told.splitlines() == [
        "backend 'cuda': out of memory on cuda:0: 4.00 MiB asked; of 3.00 MiB in all 2.00 MiB are "
        "free, 1.00 MiB are in arrays and 0 bytes reserved for more; use a smaller batch, or let "
        "go of tensors and graphs that are not needed",
        "cuda:0 4194304 1048576 2097152 3145728",
        "512",
    ]


def test_out_of_memory_error_is_a_runtime_error_and_survives_pickling():
    figures = {"asked": 5 << 40, "allocated": 2, "reserved": 1026, "free": 3, "total": 4}
    error = OutOfMemoryError("cuda:1", **figures)
    assert isinstance(error, RuntimeError)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.backend == "cuda"
    assert "5.00 TiB asked" in str(error)
    assert "1.00 KiB reserved for more" in str(error)


# streams and events -------------------------------------------------------------------------------


def test_stream_is_current_in_its_block_alone():
    told = run(
        """
        usual = pg.cuda.current_stream()
        assert usual == pg.cuda.default_stream() and hash(usual) == hash(pg.cuda.default_stream())
        side, other = pg.cuda.Stream(), pg.cuda.Stream(device=1, priority=-1)
        assert side != usual and side != other and side.cuda_stream
        with pg.cuda.stream(side):
            assert pg.cuda.current_stream() == side
            assert (pg.ones(2, device="cuda") * 2).tolist() == [2, 2]
            with other:
                assert pg.cuda.current_stream() == other
                assert pg.cuda.current_device() == 1
                assert pg.cuda.current_stream(0) == side
                assert pg.ones(1, device="cuda").device == pg.device("cuda:1")
            with pg.cuda.stream(None):
                assert pg.cuda.current_stream() == side
            assert pg.cuda.current_device() == 0
        assert pg.cuda.current_stream() == usual
        pg.cuda.set_stream(side)
        assert pg.cuda.current_stream() == side
        print(repr(other))
        """
    )
    assert told.startswith("<plugrad.cuda.Stream device=cuda:1 cuda_stream=0x")


def test_events_order_streams_and_measure_time():
    told = run(
        """
        start, end = (pg.cuda.Event(enable_timing=True) for _ in range(2))
        assert start.query()  # nothing was recorded: nothing to wait for
        start.wait()
        start.synchronize()
        start.record()
        x = pg.ones(1000, device="cuda") + 1
        end.record()
        end.synchronize()
        assert end.query() and start.elapsed_time(end) > 0
        side = pg.cuda.Stream()
        side.wait_stream(pg.cuda.current_stream())
        with pg.cuda.stream(side):
            y = x + 1
        done = side.record_event()
        done.wait()
        side.synchronize()
        assert side.query()
        pg.cuda.synchronize()
        pg.cuda.synchronize("cuda:1")
        print(y.sum().item())
        """
    )
    assert told == "3000.0"


def test_events_that_cannot_be_compared_or_recorded_are_refused():
    told = run(
        """
        def complaint(call):
            try:
                call()
            except pg.errors.BackendError as error:
                print(error)
        untimed, timed = pg.cuda.Event(), pg.cuda.Event(enable_timing=True)
        untimed.record()
        complaint(lambda: timed.elapsed_time(timed))
        complaint(lambda: untimed.elapsed_time(untimed))
        complaint(lambda: untimed.record(pg.cuda.Stream(1)))
        """
    )
    first, second, third = told.splitlines()
    assert "make both with enable_timing=True" in first
    assert first == second
    assert "an event of cuda:0 cannot be recorded on a stream of cuda:1" in third


# what the host hears of later ---------------------------------------------------------------------


@pytest.mark.parametrize("blocking", ["0", "1"])
def test_position_outside_is_reported_when_the_host_waits(blocking):
    told = run(
        """
        x = pg.arange(6.0, device="cuda").reshape(2, 3)
        heard = []
        for use in (
            lambda: x[pg.tensor([0, 5], device="cuda")],
            lambda: x.gather(1, pg.tensor([[0], [-1]], device="cuda")),
            lambda: x.index_select(0, pg.tensor([2], device="cuda")),
        ):
            try:
                y = use()
                heard.append("late")
                y.sum().item()
            except IndexError as error:
                heard.append(str(error))
        print(*heard, sep="\\n")
        print(x.sum().item())
        """,
        CUDA_LAUNCH_BLOCKING=blocking,
    )
    lines = [
        "index: indices[0]: expected positions from -2 to 1 along axis 0 of (2, 3), got 5",
        "gather: index: expected positions from 0 to 2 along axis 1 of (2, 3), got -1",
        "index_select: index: expected positions from 0 to 1 along axis 0 of (2, 3), got 2",
    ]
    if blocking == "0":
        lines = [each for line in lines for each in ("late", line)]
    assert told.splitlines() == [*lines, "15.0"]


def test_statistics_are_refused_by_a_backend_that_has_none():
    from types import SimpleNamespace

    from plugrad.hooks import CONTRACT_VERSION, Manifest, kernel

    manifest = Manifest(
        name="bare",
        version="1",
        description="one device, and nothing else",
        modules=(),
        contract=CONTRACT_VERSION,
        dtypes=(pg.float32,),
        numbered=True,
    )

    @kernel
    def plugrad_manifest():
        return manifest

    @kernel
    def device_count():
        return 1

    bare = SimpleNamespace(plugrad_manifest=plugrad_manifest, device_count=device_count)
    pg.backends.discovery.offer("bare", bare)
    try:
        with pytest.raises(UnsupportedError, match="memory_allocated: device: expected one that"):
            pg.cuda.memory_allocated("bare:0")
    finally:
        pg.backends.unload("bare")
        pg.backends.discovery.withdraw("bare")


def test_memory_is_page_locked_only_beside_a_device(no_cuda):
    with pytest.raises(BackendImportError):
        pg.ones(3).pin_memory()
    told = run("x = pg.ones(3); print(x.pin_memory() is x, x.is_pinned())")
    assert told == "True False"


def test_a_device_says_what_it_is():
    told = run(
        """
        print(pg.cuda.is_initialized())
        pg.cuda.init()
        found = pg.cuda.get_device_properties(1)
        print(pg.cuda.is_initialized(), "stand-in 1" in found.name, found.major, found.minor)
        print(found.total_memory, found.multi_processor_count, pg.cuda.get_device_capability())
        print(pg.cuda.is_bf16_supported(), pg.cuda.is_bf16_supported(False))
        """
    )
    lines = ["False", "True True 8 0", f"{1 << 30} 1 (8, 0)", "True True"]
    assert told.splitlines() == lines


def test_without_a_device_nothing_is_initialised(no_cuda):
    assert not pg.cuda.is_initialized()
    assert not pg.cuda.is_bf16_supported()
    with pytest.raises(BackendImportError):
        pg.cuda.init()


def test_all_devices_draw_from_the_default_generator():
    told = run(
        """
        pg.cuda.manual_seed_all(7)
        print(pg.initial_seed(), pg.cuda.initial_seed())
        states = pg.cuda.get_rng_state_all()
        drawn = pg.rand(3, device="cuda:1").tolist()
        pg.cuda.set_rng_state_all(states)
        print(len(states), pg.rand(3).tolist() == drawn)
        pg.cuda.manual_seed(7)
        state = pg.cuda.get_rng_state()
        pg.cuda.seed()
        print(pg.cuda.initial_seed() != 7)
        pg.cuda.seed_all()
        pg.cuda.set_rng_state(state, "cuda:1")
        print(pg.rand(3, device="cuda").tolist() == drawn)
        """
    )
    assert told.splitlines() == ["7 7", "2 True", "True", "True"]
