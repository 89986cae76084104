"""Checkpoints: what goes in comes out, foreign files load, damaged ones are refused, nothing is
half-written.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

import plugrad as pg
from plugrad import dtypes, serialize
from plugrad.errors import CheckpointError, KindError
from plugrad.serialize import load, save


def foreign_file(path: Path, metadata: dict[str, str] | None = None, **tensors: Any) -> Path:
    """A safetensors file as the format's description has it, made without the package."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, (code, shape, content) in tensors.items():
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": code, "shape": shape, "data_offsets": offsets}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.safetensors"


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_a_tensor_of_every_dtype_comes_back(file: Path, dtype: Any, shape: Any) -> None:
    x = (pg.arange(6.0)[: math.prod(shape)].reshape(shape) - 2).to(dtype)
    if dtype.is_complex:
        x = x * (1 + 2j)
    save(x, file)
    out = load(file)
    assert (out.dtype, out.shape, out.tolist()) == (x.dtype, x.shape, x.tolist())


def test_containers_and_numbers_come_back(file: Path) -> None:
    nest = {
        "weights": OrderedDict(a=[1, (2.5, None)], b="text, 文"),
        7: True,
        ("a", 1): -(1 << 80),
        "numbers": (float("inf"), -float("inf"), -0.0, 0.1, 3 - 4j),
        "dtype": pg.bfloat16,
        "empty": [{}, [], ()],
    }
    save(nest, file)
    assert load(file) == nest
    assert math.copysign(1, load(file)["numbers"][2]) == -1
    save([float("nan")], file)
    assert math.isnan(load(file)[0])


def test_tensors_anywhere_in_a_nest_come_back(file: Path) -> None:
    nest = {"a": [pg.ones(2), {"b": (pg.zeros(1),)}], "a.0": pg.tensor(5)}
    save(nest, file)
    out = load(file)
    assert out["a"][0].tolist() == [1.0, 1.0]
    assert out["a"][1]["b"][0].tolist() == [0.0]
    assert out["a.0"].item() == 5


def test_a_view_is_saved_as_what_it_shows(file: Path) -> None:
    x = pg.arange(12).reshape(3, 4)
    save([x.T, x[:, ::2], x[1]], file)
    assert [each.tolist() for each in load(file)] == [
        x.T.tolist(),
        x[:, ::2].tolist(),
        [4, 5, 6, 7],
    ]


def test_one_tensor_in_two_places_is_one_tensor_again(file: Path) -> None:
    shared = pg.ones(3)
    save({"encoder": shared, "decoder": shared, "view": shared[:]}, file)
    out = load(file)
    assert out["encoder"] is out["decoder"]
    assert out["view"].untyped_storage() is not out["encoder"].untyped_storage()


def test_a_leaf_still_wants_its_gradient(file: Path) -> None:
    save([pg.ones(2, requires_grad=True), pg.ones(2)], file)
    assert [each.requires_grad for each in load(file)] == [True, False]


def test_a_loaded_tensor_can_be_written_to(file: Path) -> None:
    save(pg.zeros(2), file)
    out = load(file)
    out += 1
    assert (out.tolist(), load(file).tolist()) == ([1.0, 1.0], [0.0, 0.0])


def test_tensors_come_to_the_device_that_is_asked_for(file: Path) -> None:
    save({"a": pg.ones(2)}, file)
    assert load(file, map_location="numpy")["a"].device == pg.device("numpy")
    assert load(file, "meta")["a"].device.type == "meta"


def test_other_tools_find_the_tensors_under_readable_names(file: Path) -> None:
    safetensors = pytest.importorskip("safetensors")
    save({"model": {"0.weight": pg.ones(2, 2)}, "steps": [pg.tensor(3)]}, file)
    found = dict(safetensors.deserialize(file.read_bytes()))
    assert set(found) == {"model.0.weight", "steps.0"}
    assert (found["model.0.weight"]["dtype"], found["model.0.weight"]["shape"]) == ("F32", [2, 2])


def test_a_foreign_safetensors_file_gives_a_dict_of_tensors(file: Path) -> None:
    ones = struct.pack("<2f", 1.0, 1.0)
    foreign_file(file, {"format": "pt"}, w=("F32", [2], ones), n=("I64", [], struct.pack("<q", 9)))
    out = load(file)
    assert {name: each.tolist() for name, each in out.items()} == {"w": [1.0, 1.0], "n": 9}


def test_a_saved_file_has_the_mode_of_any_new_file(file: Path) -> None:
    save([], file)
    other = file.with_name("other")
    other.touch()
    assert file.stat().st_mode == other.stat().st_mode


def test_a_path_may_be_text_and_a_link_stays_one(file: Path) -> None:
    link = file.with_name("link")
    save([1], str(file))
    link.symlink_to(file)
    save([2], str(link))
    assert link.is_symlink()
    assert load(str(file)) == [2]


def test_a_file_object_does_as_well_as_a_path() -> None:
    memory = io.BytesIO()
    save({"a": pg.ones(2), "b": [1, None]}, memory)
    memory.seek(0)
    out = load(memory)
    assert (out["a"].tolist(), out["b"]) == ([1.0, 1.0], [1, None])


@pytest.mark.parametrize(
    ("map_location", "device"),
    [
        ({"cpu": "meta"}, "meta"),
        ({"cuda": "meta"}, "numpy"),
        (lambda storage, location: storage, "numpy"),
        (lambda storage, location: pg.device("meta"), "meta"),
    ],
)
def test_map_location_may_be_a_table_or_a_function(
    file: Path, map_location: Any, device: str
) -> None:
    save([pg.ones(2)], file)
    assert load(file, map_location)[0].device.type == device


def test_the_state_of_an_optimizer_comes_back(file: Path) -> None:
    model = pg.nn.Linear(2, 1)
    optimizer = pg.optim.Adam(model.parameters(), lr=0.25)
    model(pg.ones(2)).sum().backward()
    optimizer.step()
    save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    saved = load(file)
    other = pg.nn.Linear(2, 1)
    other.load_state_dict(saved["model"])
    again = pg.optim.Adam(other.parameters())
    again.load_state_dict(saved["optimizer"])
    for own, its in zip(model.parameters(), other.parameters(), strict=True):
        assert own.tolist() == its.tolist()
        own_state, its_state = optimizer.state[own], again.state[its]
        assert own_state["exp_avg"].tolist() == its_state["exp_avg"].tolist()
    assert again.param_groups[0]["lr"] == 0.25


# several files ------------------------------------------------------------------------------------


def index_file(folder: Path, weight_map: Any) -> Path:
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return path


def test_the_index_of_several_files_gives_the_tensors_of_all(tmp_path: Path) -> None:
    for number in (1, 2):
        content = struct.pack("<f", number)
        foreign_file(
            tmp_path / f"model-{number}.safetensors", **{f"w{number}": ("F32", [1], content)}
        )
    weight_map = {"w2": "model-2.safetensors", "w1": "model-1.safetensors"}
    out = load(index_file(tmp_path, weight_map))
    assert {name: each.tolist() for name, each in out.items()} == {"w2": [2.0], "w1": [1.0]}
    assert load(index_file(tmp_path, weight_map), "meta")["w1"].device.type == "meta"


@pytest.mark.parametrize(
    ("weight_map", "said"),
    [
        ({"w": "../model.safetensors"}, "is no index"),
        ({"w": 1}, "is no index"),
        (None, "is no index"),
        ({"w": "absent.safetensors"}, "absent.safetensors: cannot be read: No such file"),
        ({"w": "model.safetensors"}, "names tensors that no file has: w"),
    ],
)
def test_an_index_that_leads_nowhere_is_refused(tmp_path: Path, weight_map: Any, said: str) -> None:
    foreign_file(tmp_path / "model.safetensors", other=("F32", [1], bytes(4)))
    with pytest.raises(CheckpointError, match=said):
        load(index_file(tmp_path, weight_map))


# what is refused ----------------------------------------------------------------------------------


def refusal(path: Path) -> CheckpointError:
    with pytest.raises(CheckpointError) as refused:
        load(path)
    assert refused.value.path == str(path)
    assert refused.value.hint in str(refused.value)
    return refused.value


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 9, 60, 200, -100, -1])
def test_a_truncated_file_is_refused(file: Path, kept: int) -> None:
    save({"a": pg.ones(100), "b": [1, 2]}, file)
    file.write_bytes(file.read_bytes()[:kept])
    assert ("empty" if kept == 0 else "truncated") in str(refusal(file))


@pytest.mark.parametrize("place", [-1, -200, -400])
def test_a_file_with_a_changed_byte_is_refused(file: Path, place: int) -> None:
    save({"a": pg.ones(100)}, file)
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    assert "damaged: its checksum does not fit" in str(refusal(file))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 and so on", "truncated or damaged: File is not a zip file"),
        (b"\x80\x04\x95 and so on", "a bare pickle .* PyTorch wrote before 1.6"),
        (b"no such thing at all", "is no safetensors file"),
        (b"\xff" * 64, "is no safetensors file"),
    ],
    ids=["zip", "pickle", "text", "noise"],
)
def test_a_foreign_file_is_refused(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    assert re.search(said, str(refusal(file)))


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"version": 99, "crc32": 0, "structure": None}, "of format 99, read here is 1; upgrade"),
        ({"version": 1, "crc32": 0, "structure": {"tensor": "lost"}}, "content is damaged"),
        ({"version": 1, "crc32": 0, "structure": {"riddle": 1}}, "content is damaged"),
        ({"version": 1, "crc32": 0, "structure": {"dict": 1, "list": 2}}, "content is damaged"),
        ({"version": 1, "crc32": 0}, "content is damaged"),
        ([], "content is damaged"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(
    file: Path, described: Any, said: str
) -> None:
    foreign_file(file, {"plugrad": json.dumps(described)})
    assert said in str(refusal(file))


def test_a_description_that_is_no_json_is_refused(file: Path) -> None:
    foreign_file(file, {"plugrad": "{"})
    assert "content is damaged" in str(refusal(file))


def test_a_dtype_that_plugrad_lacks_is_named(file: Path) -> None:
    foreign_file(file, wide=("U64", [1], bytes(8)))
    assert "'wide' is of dtype U64, which plugrad does not have" in str(refusal(file))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in str(refusal(tmp_path / "absent"))
    assert "cannot be read: Is a directory" in str(refusal(tmp_path))


@pytest.mark.parametrize(
    ("nest", "said"),
    [
        ({"a": [object()]}, "save: a.0: expected a tensor, number, string.*got object"),
        ({"a": {1, 2}}, "save: a: .*got set"),
        ({"m": pg.empty(2, device="meta")}, "save: m: expected a tensor with data, got meta"),
    ],
)
def test_what_cannot_be_saved_is_refused_by_its_place(file: Path, nest: Any, said: str) -> None:
    with pytest.raises(KindError, match=said):
        save(nest, file)
    assert not file.exists()


@pytest.mark.parametrize("function", [lambda f: save([], f), load], ids=["save", "load"])
def test_what_is_no_file_is_refused(function: Any) -> None:
    with pytest.raises(KindError, match=r"f: expected a path, or a file open for .*, got int"):
        function(3)


def test_an_object_with_a_state_dict_is_told_so(file: Path) -> None:
    class Model:
        def state_dict(self) -> dict[str, Any]:
            return {}

    with pytest.raises(KindError, match=r"got Model; save its state_dict\(\)"):
        save({"model": Model()}, file)


# nothing half-written -----------------------------------------------------------------------------


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be written: .*nothing was changed"):
        save([1], tmp_path / "absent" / "file")
    assert names(tmp_path) == []


@pytest.mark.parametrize("blow", [KeyboardInterrupt, OSError("disk full"), MemoryError], ids=str)
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_failed_save_leaves_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, moment: str, blow: Any
) -> None:
    save({"old": pg.ones(2)}, file)

    def fail(*arguments: Any) -> None:
        raise blow

    monkeypatch.setattr(serialize.os, moment, fail)
    expected = CheckpointError if isinstance(blow, OSError) else blow
    with pytest.raises(expected):
        save({"new": pg.zeros(2)}, file)
    monkeypatch.undo()
    assert load(file)["old"].tolist() == [1.0, 1.0]
    assert names(file.parent) == [file.name]


@pytest.mark.skipif(os.name != "posix", reason="limits of file sizes are POSIX's")
def test_a_full_disk_leaves_the_old_file(file: Path) -> None:
    program = f"""
import resource, plugrad as pg
from plugrad.serialize import save
save({{"old": pg.ones(2)}}, {str(file)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
save({{"new": pg.ones(1 << 20)}}, {str(file)!r})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "CheckpointError" in done.stderr
    assert "cannot be written" in done.stderr
    assert load(file)["old"].tolist() == [1.0, 1.0]
    assert names(file.parent) == [file.name]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_a_killed_program_leaves_a_whole_file(file: Path) -> None:
    program = f"""
import plugrad as pg
from plugrad.serialize import save
for i in range(10**6):
    save({{"i": pg.full((1 << 16,), float(i))}}, {str(file)!r})
    if i == 3:
        print("ready", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    loaded = load(file)["i"]
    assert loaded.min().item() == loaded.max().item() >= 3
