"""PyTorch's checkpoints: read without PyTorch; what asks for more than data is refused by name."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plugrad as pg
from plugrad import dtypes, nn
from plugrad.errors import CheckpointError
from plugrad.serialize import load

DATA = Path(__file__).parent / "data"  # its README says how the files were made


@pytest.fixture(scope="module")
def tensors() -> dict[str, Any]:
    return load(DATA / "tensors.pt")


# what PyTorch wrote -------------------------------------------------------------------------------


def test_a_state_dict_fits_a_module() -> None:
    state = load(DATA / "checkpoint.pt")["model"]
    assert type(state) is OrderedDict
    assert state._metadata["1"] == {"version": 2}
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    model.load_state_dict(state)
    assert model[0].weight.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert model[0].bias.tolist() == [-1.0, 0.5]
    assert model[1].num_batches_tracked.item() == 2


def test_an_optimizers_state_fits_one() -> None:
    saved = load(DATA / "checkpoint.pt")
    assert {name: saved[name] for name in ("epoch", "loss", "name", "best", "done")} == {
        "epoch": 7,
        "loss": 0.125,
        "name": "größe",
        "best": None,
        "done": False,
    }
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = pg.optim.Adam(model.parameters())
    optimizer.load_state_dict(saved["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.25
    moment = optimizer.state[model[0].weight]["exp_avg"]
    assert moment.tolist() == saved["optimizer"]["state"][0]["exp_avg"].tolist()


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_a_tensor_of_every_dtype_arrives(tensors: dict[str, Any], dtype: Any) -> None:
    x = tensors[dtype.name]
    factor = 1 + 2j if dtype.is_complex else 1
    assert x.dtype is dtype
    assert x.tolist() == ([False, True, True] if dtype is pg.bool else [0, factor, 2 * factor])


def test_views_share_their_storage_again(tensors: dict[str, Any]) -> None:
    tensors = load(DATA / "tensors.pt")
    base, turned, part = (tensors[name] for name in ("base", "turned", "part"))
    assert turned.tolist() == base.T.tolist()
    assert (part.tolist(), part.stride(), part.storage_offset()) == (
        [[4.0, 6.0], [8.0, 10.0]],
        (4, 2),
        4,
    )
    base[1, 0] = -1.0
    assert (turned[0, 1].item(), part[0, 0].item()) == (-1.0, -1.0)
    assert tensors["expanded"].tolist() == [[1.0, 2.0]] * 3
    assert (tensors["scalar"].item(), tuple(tensors["empty"].shape)) == (2.5, (0, 3))


def test_lazy_conjugates_and_negatives_are_written_out(tensors: dict[str, Any]) -> None:
    assert tensors["conj"].tolist() == [1 - 2j, 3 + 4j]
    assert tensors["neg"].tolist() == [-2.0, 4.0]


def test_parameters_are_parameters_and_leaves_leaves(tensors: dict[str, Any]) -> None:
    parameter, frozen = tensors["parameter"], tensors["frozen"]
    assert (type(parameter), parameter.requires_grad) == (nn.Parameter, True)
    assert (type(frozen), frozen.requires_grad) == (nn.Parameter, False)
    assert (tensors["leaf"].is_leaf, tensors["leaf"].requires_grad) == (True, True)
    assert not tensors["base"].requires_grad


def test_containers_arrive() -> None:
    found = load(DATA / "containers.pt")
    deep = found.pop("deep")
    assert deep["x"][0]["y"][0].tolist() == [1.0]
    assert found == {
        "size": (2, 3),
        "device": pg.device("cuda", 1),
        "dtype": pg.bfloat16,
        "set": {1, 2},
        "frozen": frozenset([3]),
        "complex": 1 - 2j,
        "bytes": b"\x00\xff",
        "bytearray": bytearray(b"ab"),
        "counter": Counter("aab"),
        "ordered": OrderedDict(b=1, a=[2, (3,)]),
        "big": 1 << 70,
        "float": float("inf"),
    }
    assert type(found["size"]) is pg.Size
    assert list(found["ordered"]) == ["b", "a"]


@pytest.mark.parametrize("weights_only", [True, False])
def test_a_file_object_does_as_well(weights_only: bool) -> None:
    content = (DATA / "tensors.pt").read_bytes()
    found = load(io.BytesIO(content), weights_only=weights_only, mmap=True)
    assert found["base"].shape == (3, 4)
    with open(DATA / "tensors.pt", "rb") as file:
        assert load(file)["base"].shape == (3, 4)


@pytest.mark.parametrize(
    ("map_location", "device"),
    [
        ("meta", "meta"),
        (pg.device("meta"), "meta"),
        ({"cpu": "meta"}, "meta"),
        ({"cuda:0": "meta"}, "numpy"),
        (lambda storage, location: storage, "numpy"),
        (lambda storage, location: storage.to("meta"), "meta"),
        (lambda storage, location: {"cpu": "meta"}[location], "meta"),
        (lambda storage, location: None, "numpy"),
    ],
)
def test_map_location_decides_where_tensors_go(map_location: Any, device: str) -> None:
    found = load(DATA / "tensors.pt", map_location)
    assert {each.device.type for each in found.values()} == {device}
    assert found["turned"].shape == (4, 3)


# archives made by hand ----------------------------------------------------------------------------


def code(value: Any) -> bytes:
    """Opcodes that put a value on the stack; bytes are opcodes already."""
    if isinstance(value, bytes):
        return value
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        return b"\x8a\x08" + struct.pack("<q", value)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    items = [*sum(value.items(), ())] if isinstance(value, dict) else value
    end = {tuple: b"t", list: b"l", dict: b"d"}[type(value)]
    return b"(" + b"".join(map(code, items)) + end


def named(name: str) -> bytes:
    module, _, last = name.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def call(name: str, *arguments: Any) -> bytes:
    return named(name) + code(arguments) + b"R"


def storage(
    kind: str = "torch.FloatStorage", key: str = "0", location: str = "cpu", numel: Any = 2
) -> bytes:
    return code(("storage", named(kind), key, location, numel)) + b"Q"


def tensor(size: Any = (2,), stride: Any = (1,), offset: Any = 0, **which: Any) -> bytes:
    return call(
        "torch._utils._rebuild_tensor_v2", storage(**which), offset, size, stride, False, {}
    )


def archive(content: Any, *storages: bytes, **members: bytes) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("model/data.pkl", b"\x80\x02" + code(content) + b".")
        for key, data in enumerate(storages):
            made.writestr(f"model/data/{key}", data)
        for name, data in members.items():
            made.writestr(f"model/{name.replace('_', '.')}", data)
    file.seek(0)
    return file


FLOATS = struct.pack("<2f", 1.0, 2.0)


def test_an_archive_made_by_hand_is_read() -> None:
    found = load(archive({"x": tensor(), "n": [1, ("a", None)]}, FLOATS))
    assert (found["x"].tolist(), found["n"]) == ([1.0, 2.0], [1, ("a", None)])


def test_a_device_that_is_not_here_does_not_matter() -> None:
    assert load(archive(tensor(location="cuda:7"), FLOATS)).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("kind", "form", "value"),
    [
        ("torch.FloatStorage", ">2f", (1.0, 2.0)),
        ("torch.ShortStorage", ">2h", (258, -3)),
        ("torch.ComplexDoubleStorage", ">4d", (1.0, 2.0, -3.0, 4.0)),
        ("torch.ByteStorage", ">2B", (1, 2)),
    ],
)
def test_files_of_machines_of_the_other_byte_order_are_read(
    kind: str, form: str, value: Any
) -> None:
    found = load(archive(tensor(kind=kind), struct.pack(form, *value), byteorder=b"big"))
    expected = [1 + 2j, -3 + 4j] if "Complex" in kind else list(value)
    assert found.tolist() == expected


# what is refused ----------------------------------------------------------------------------------


def refusal(file: Any) -> CheckpointError:
    with pytest.raises(CheckpointError) as refused:
        load(file)
    return refused.value


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "posix.system",
        "builtins.eval",
        "__builtin__.getattr",
        "torch.nn.modules.linear.Linear",
        "torch.load",
        "torch.hub.load",
        "numpy.core.multiarray._reconstruct",
        "collections.OrderedDict.__class__",
        "torch.uint16",
        "__main__.Model",
    ],
)
def test_a_global_that_is_not_on_the_list_is_refused_by_its_name(name: str) -> None:
    error = refusal(archive({"weight": call(name, "echo")}))
    assert f"asks for the global {name!r}" in str(error)
    assert "nothing was run" in str(error)
    assert "state_dict" in error.hint


class Exploit:
    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("call", "name"), [(os.mkdir, f"{os.name}.mkdir"), (exec, "exec"), (open, "open")]
)
def test_nothing_runs(tmp_path: Path, protocol: int, call: Callable[..., Any], name: str) -> None:
    trap = tmp_path / "trap"
    arguments = (f"open({str(trap)!r}, 'w')",) if call is exec else (str(trap), 0o700)
    arguments = (str(trap), "w") if call is open else arguments
    file = archive(b"")
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("model/data.pkl", pickle.dumps({"a": Exploit(call, arguments)}, protocol))
    file.seek(0)
    assert name in str(refusal(file))
    assert not trap.exists()


ORDERED = call("collections.OrderedDict")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        # what may be named, put to another use
        (named("torch.float32") + code(("name",)) + b"R", "a call of plugrad.float32"),
        (named("torch.Tensor") + code((1,)) + b"R", "a call of 'torch.Tensor'"),
        (named("torch.FloatStorage") + code({"dtype": 1}) + b"b", "changing an object of class"),
        (
            named("torch.float32") + code({"itemsize": 1}) + b"b",
            "changing an object of class DType",
        ),
        (
            named("collections.OrderedDict") + code({"build": 1}) + b"b",
            "changing an object of class Builder",
        ),
        (code({}) + code({"a": 1}) + b"b", "changing an object of class dict"),
        (named("torch.Size") + code("a") + code(1) + b"s", "changing an object of class Builder"),
        (code("text") + code(1) + b"a", "changing an object of class str"),
        (named("torch.Size") + code(()) + b"\x81", "pickle's NEWOBJ"),
        (code(("x",)) + b"icollections\nOrderedDict\n", "pickle's INST"),
        (b"\x82\x01", "pickle's EXT1"),
        (
            call("torch._tensor._rebuild_from_type_v2", "print", named("torch.Tensor"), (), {}),
            "a call of 'print'",
        ),
    ],
)
def test_what_may_be_named_cannot_be_put_to_another_use(content: bytes, said: str) -> None:
    assert f"asks for {said}" in str(refusal(archive(content)))
    assert (pg.float32.itemsize, pg.float32.name) == (4, "float32")


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ({"size": (3,)}, "leaves its storage of 2 elements"),
        ({"offset": 1}, "leaves its storage"),
        ({"stride": (2,)}, "leaves its storage"),
        ({"offset": -1, "size": (1,)}, "no tensor has shape (1,) and strides (1,) from -1"),
        ({"size": (-1,)}, "no tensor has shape (-1,)"),
        ({"stride": (-1,)}, "no tensor has"),
        ({"stride": ("1",)}, "no tensor has"),
        ({"stride": ()}, "no tensor has"),
        ({"numel": 3}, "storage 0 has 8 bytes instead of 12"),
        ({"numel": "2"}, "is no storage"),
        ({"key": "1"}, "model/data/1"),
        ({"key": "../data.pkl"}, "no item named"),
        ({"kind": "torch.float32"}, "is no storage"),
        ({"kind": "torch.storage.UntypedStorage", "numel": 8}, "None is no dtype"),
    ],
)
def test_a_tensor_that_does_not_fit_its_storage_is_refused(which: Any, said: str) -> None:
    assert said in str(refusal(archive(tensor(**which), FLOATS)))


@pytest.mark.parametrize(
    "content",
    [
        b"R",
        b"t",
        b"h\x07",
        b"\xff",
        b"(",
        b"",
        code("storage") + b"Q",
        call("_codecs.encode", "a", "zip"),
        call("__builtin__.bytearray", 1 << 40),
        call("__builtin__.set", 1),
        code([1, 2]) + code(3),
    ],
    ids=repr,
)
def test_a_pickle_that_makes_no_sense_is_damaged(content: bytes) -> None:
    assert "is truncated or damaged" in str(refusal(archive(content)))


@pytest.mark.parametrize("kept", [4, 100, 1000, -200, -1])
def test_a_truncated_archive_is_refused(kept: int) -> None:
    content = (DATA / "checkpoint.pt").read_bytes()[:kept]
    assert "is truncated or damaged" in str(refusal(io.BytesIO(content)))


def test_a_changed_byte_is_noticed() -> None:
    content = bytearray((DATA / "tensors.pt").read_bytes())
    place = content.index(struct.pack("<3f", 1.0, 2.0, 3.0))
    content[place] ^= 1
    assert "Bad CRC-32" in str(refusal(io.BytesIO(content)))


def test_other_formats_are_named(tmp_path: Path) -> None:
    program = archive({}, constants_pkl=b"")
    assert "is a TorchScript program" in str(refusal(program))
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as made:
        made.writestr("letter.txt", "dear")
    other.seek(0)
    assert "a zip archive, but no checkpoint: it has no data.pkl" in str(refusal(other))
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as packed:
        packed.addfile(tarfile.TarInfo("storages"))
    tar.seek(0)
    assert "a tar archive, such as PyTorch wrote before 1.6" in str(refusal(tar))
    magic = 0x1950A86A20F9469CFC6C  # how a file of PyTorch before 1.6 begins
    assert "a bare pickle" in str(refusal(io.BytesIO(pickle.dumps(magic, 2))))


def test_the_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(archive(call("os.system")).getvalue())
    error = refusal(path)
    assert (error.path, str(path) in str(error)) == (str(path), True)
    assert refusal(archive(call("os.system"))).path == "<BytesIO>"
