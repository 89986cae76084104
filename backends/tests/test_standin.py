"""The stand-in for CuPy: it offers nothing that CuPy lacks, agrees with CuPy's arrays where these
work without a device, and refuses what would hide a mistake. And the backend over it: a few rows of
the kit, and that no operator would need the host.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conformance_standin import BANNER, environment, main

# What the stand-in's modules define for itself; each says so in its docstring.
OWN = {
    "cupy": {"ndarray.host", "RawModule.get_function"},
    "cupy.cuda": {"Stream.later", "MemoryPool.give_back"},
    "cupy.cuda.device": set(),
    "cupy.cuda.memory": {"default_pool", "rounded", "FRESH_BYTE", "MemoryPool.give_back"},
    "cupy.cuda.runtime": {"total_bytes"},
    "cupy.fft": set(),
    "cupy.cuda.stream": {"work", "synchronize_device", "Stream.later"},
}

LIST = """
    import importlib, inspect, json
    found = {}
    for name in %r:
        module = importlib.import_module(name)
        names = {}
        for key, value in vars(module).items():
            if key.startswith("_") or inspect.ismodule(value) or key == "annotations":
                continue
            origin = getattr(value, "__module__", name)
            if origin == "typing" or (origin != name and name not in ("cupy", "cupy.cuda")):
                continue  # imported for the module's own use
            members = vars(value) if inspect.isclass(value) else ()
            names[key] = sorted(each for each in members if not each.startswith("_"))
        found[name] = names
    print(json.dumps(found))
"""
PROBE = """
    import importlib, json, sys
    missing = []
    for name, names in json.load(sys.stdin).items():
        module = importlib.import_module(name)
        for key, members in names.items():
            if not hasattr(module, key):
                missing.append(f"{name}.{key}")
            else:
                owner = getattr(module, key)
                missing += [f"{name}.{key}.{m}" for m in members if not hasattr(owner, m)]
    print(json.dumps(missing))
"""


def run(program: str, *, standin: bool = True, given: str = "") -> str:
    """What a program prints, with the stand-in or with what is installed."""
    known = environment()
    if not standin:
        known.pop("PYTHONPATH")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=known,
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (BANNER in done.stderr) is standin
    return done.stdout.strip()


def refusal(program: str) -> str:
    """The last line of what a program complains about."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stderr.strip()


def has(module: str) -> bool:
    """Whether a module is installed, whatever stands in for it here."""
    probe = f"import importlib.util; print(importlib.util.find_spec('{module}') is not None)"
    return run(probe, standin=False) == "True"


needs_cupy = pytest.mark.skipif(not has("cupy"), reason="CuPy itself is not installed")


@needs_cupy
def test_stand_in_offers_nothing_that_cupy_lacks():
    listed = run(LIST % (list(OWN),))
    missing = set(json.loads(run(PROBE, standin=False, given=listed)))
    own = {f"{module}.{name}" for module, names in OWN.items() for name in names}
    assert missing - own == set()


# CuPy's arrays need no device as long as they only lie there: memory of the host will do.
SHAPES = """
    import json, random
    import cupy, numpy as np, ml_dtypes
    from cupy.cuda import MemoryPointer, UnownedMemory
    memory = np.zeros(1 << 16, np.uint8)
    pointer = MemoryPointer(UnownedMemory(memory.ctypes.data, memory.size, memory, 0), 0)
    draw = random.Random(0)
    found = []
    for _ in range(300):
        shape = tuple(draw.choice((0, 1, 2, 3, 5)) for _ in range(draw.randrange(5)))
        dtype = np.dtype(draw.choice((np.int8, ml_dtypes.bfloat16, np.float32, np.complex128)))
        x = cupy.ndarray(shape, dtype, pointer)
        if x.size:
            x = x[tuple(slice(draw.randrange(n), None, draw.choice((1, 2))) for n in shape)]
            order = list(range(x.ndim))
            draw.shuffle(order)
            x = x.transpose(*order) if order else x
            strides = x.strides
        else:
            strides = None
        offset = x.data.ptr - pointer.ptr
        found.append([x.shape, strides, offset, x.nbytes, x.flags.c_contiguous, str(x.dtype)])
    print(json.dumps(found))
"""


@needs_cupy
def test_arrays_lie_in_memory_as_cupys_do():
    assert run(SHAPES) == run(SHAPES, standin=False)


ENTERED = "import cupy\ncupy.cuda.Stream(non_blocking=True).use()\n"


def test_work_on_the_legacy_default_stream_is_refused():
    assert "legacy default stream" in refusal("import cupy\ncupy.ndarray((3,))")


def test_fresh_memory_is_not_zero():
    told = run(ENTERED + "print(cupy.ndarray((2,), 'f4').get(), cupy.ndarray((1,), 'i8').get())")
    assert told == "[nan nan] [-1]"


def test_write_past_the_end_of_a_block_is_found():
    told = refusal(
        ENTERED
        + textwrap.dedent(
            """
            import ctypes
            x = cupy.ndarray((4,), "u1")
            ctypes.memset(x.data.ptr + 4, 0, 1)
            del x
            """
        )
    )
    assert "a kernel wrote outside a block of 4 bytes" in told


def test_copy_to_the_host_has_not_happened_before_somebody_waits():
    told = run(
        ENTERED
        + textwrap.dedent(
            """
            import numpy as np
            x = cupy.asarray(np.arange(3, dtype=np.uint8))
            out = np.zeros(3, np.uint8)
            x.data.copy_to_host_async(out.ctypes.data, 3)
            print(out.tolist())
            cupy.cuda.get_current_stream().synchronize()
            print(out.tolist())
            """
        )
    )
    assert told.splitlines() == ["[221, 221, 221]", "[0, 1, 2]"]


def test_array_does_not_become_numpys_by_itself():
    assert "Implicit conversion" in refusal(
        ENTERED + "import numpy as np\nnp.asarray(cupy.ndarray((3,)))"
    )


def test_view_out_of_its_memory_is_refused():
    assert "reaches out of its memory" in refusal(
        ENTERED + "x = cupy.ndarray((4,), 'f4')\ncupy.ndarray((5,), 'f4', x.data)"
    )


def test_leading_dimension_that_cublas_refuses_is_refused():
    told = refusal(
        ENTERED
        + textwrap.dedent(
            """
            import numpy as np
            one = np.ones((), np.float32).ctypes.data
            x = cupy.ndarray((2, 2), "f4")
            at = x.data.ptr
            handle = cupy.cuda.get_cublas_handle()
            cupy.cuda.cublas.gemmStridedBatchedEx(
                handle, 0, 0, 2, 2, 2, one, at, 0, 1, 0, at, 0, 2, 0, one, at, 0, 2, 0, 1, 68, -1
            )
            """
        )
    )
    assert "CUBLAS_STATUS_INVALID_VALUE" in told


# the backend over it ------------------------------------------------------------------------------


def test_every_primitive_has_a_kernel_on_cuda():
    # There is nothing to fall back on: the host does not reach the device's memory.
    told = run(
        """
        import plugrad
        from plugrad.dispatch import operators
        backend = plugrad.backends.backend("cuda")
        primitives = [o for o in operators.values() if o.body is None and o.geometry is None]
        print(len(primitives) > 80)
        print([o.name for o in primitives if backend.resolve(o.name) is None])
        """
    )
    assert told.splitlines() == ["True", "[]"]


def test_kit_passes_on_a_few_operators(capfd):
    operators = "cat,index,gather,scatter_add,sort,matmul,convolution,max_pool"
    options = ["--level", "1", "--operators", operators, "--dtypes", "float32", "--workers", "2"]
    assert main(options) == 0, capfd.readouterr().out
    first, *lines, last = capfd.readouterr().out.strip().splitlines()
    assert first == BANNER
    assert lines
    assert all(line.startswith("stand-in | ") for line in lines)
    assert last == f"{BANNER}: nothing above was computed by a GPU"


@pytest.mark.parametrize("option", ["--json", "--html=page.html", "--update-expectations"])
def test_nothing_of_the_stand_in_is_kept_as_a_result(option, capfd):
    assert main([option, "x"]) == 2
    assert "not kept" in capfd.readouterr().err


def test_stand_in_is_no_device_whose_results_are_kept(tmp_path):
    script = Path(__file__).with_name("conformance_cuda.py")
    command = [sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cupy is the stand-in" in done.stderr
    assert not list(tmp_path.iterdir())


@needs_cupy
def test_machine_without_a_device_says_so_plainly(tmp_path):
    script = Path(__file__).with_name("conformance_cuda.py")
    probe = "from plugrad.inventory import backend_state as s; print(s('cuda').condition)"
    if run(probe, standin=False) == "ready":
        pytest.skip("there is a device")
    command = [sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("no CUDA device: cudaError")
    assert not list(tmp_path.iterdir())


def test_each_device_has_one_compute_stream_that_does_not_block():
    told = run(
        """
        import threading
        from plugrad_cupy import devices
        found = set()
        def look():
            for index in (0, 1):
                stream = devices.current_stream(index)
                found.add((index, stream.ptr, stream.is_non_blocking))
        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
            thread.join()
        print(len(found), all(non_blocking for _, _, non_blocking in found))
        """
    )
    assert told == "2 True"


# convolutions by cuDNN ----------------------------------------------------------------------------

CUDNN = Path(__file__).parent / "standin_cudnn"
CONVOLVE = """
    import sys
    sys.path.insert(0, %r)
    import cudnn
    import plugrad as pg
    F = pg.nn.functional
    options = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
    for axes, convolve in ((1, F.conv1d), (2, F.conv2d), (3, F.conv3d)):
        for dtype, room in ((pg.float32, 1e-5), (pg.bfloat16, 0.05)):
            x = pg.randn(2, 4, *(7,) * axes).to(dtype)
            w, b = pg.randn(6, 2, *(3,) * axes).to(dtype), pg.randn(6).to(dtype)
            found = []
            for device in ("numpy", "cuda"):
                leaves = [each.detach().to(device).requires_grad_() for each in (x, w, b)]
                y = convolve(*leaves, **options)
                (y.float() ** 2).sum().backward()
                found.append([each.to("numpy").float() for each in (y, *[i.grad for i in leaves])])
            for ours, theirs in zip(*found):
                scale = ours.abs().max().item()
                assert (ours - theirs).abs().max().item() <= room * scale, (axes, dtype)
    print(sorted(set(cudnn.calls)), len(cudnn.calls))
"""


OFFERED = """
    import json, sys
    sys.path.insert(0, %r)
    import cudnn, cupy
    own = [name for name, value in vars(cudnn).items() if hasattr(value, "__module__")]
    own = [name for name in own if getattr(cudnn, name).__module__ == "cudnn"]
    names = own, vars(cudnn.pygraph)
    print(json.dumps([[name for name in each if name[0] != "_"] for each in names]))
"""


def test_stand_in_offers_nothing_that_cudnns_frontend_lacks():
    if not has("cudnn"):
        pytest.skip("nvidia-cudnn-frontend is not installed")
    listed = "import cudnn, json; print(json.dumps([dir(cudnn), dir(cudnn.pygraph)]))"
    theirs = json.loads(run(listed, standin=False))
    module, graph = map(set, json.loads(run(OFFERED % str(CUDNN))))
    assert module - set(theirs[0]) <= {"Tensor"}  # never named by the backend
    assert graph
    assert graph <= set(theirs[1])


@pytest.mark.parametrize("declines", ["", "1"])
def test_convolutions_go_by_cudnn_where_it_takes_them(declines, monkeypatch):
    monkeypatch.setenv("STANDIN_CUDNN_DECLINES", declines)
    told = run(CONVOLVE % str(CUDNN))
    assert told == ("[] 0" if declines else "['dgrad', 'fprop', 'wgrad'] 18")
