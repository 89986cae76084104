"""Checkpoints: any nest of dicts, lists, tuples, strings and numbers with tensors in it, as one
safetensors file. Files of PyTorch's own format are read as well.

A file is written beside its place and then moved there, so that a crash, a full disk or Ctrl-C
leaves the old file or the new one, never half of one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from plugrad.creation import DeviceLike
from plugrad.errors import CheckpointError, KindError
from plugrad.nests import NestReader, NestWriter, Placing
from plugrad.tensor import Tensor

PathLike = str | os.PathLike[str]

_ZIP = b"PK\x03\x04"
_INDEX = ".index.json"

#: Where loaded tensors go: a device, one for each device that the file names, or a function that
#: is given a storage, as a flat tensor, and the device that the file names, and returns a tensor or
#: a device. What is `None` goes to the default device.
MapLocation = DeviceLike | Mapping[str, DeviceLike] | Callable[[Any, str], Any]


def save(obj: Any, f: PathLike | IO[bytes]) -> None:
    """Write a nest of containers, numbers, strings and tensors to a file, replacing one that is
    there, or into a file object.

    Tensors that share storage are written apart; one tensor in several places is written once.
    Raises KindError for an object of another kind, CheckpointError where the file cannot be
    written.
    """
    writer = NestWriter(obj)
    if isinstance(f, (str, os.PathLike)):
        replace_file(Path(os.path.realpath(f)), writer.to_file)
    elif hasattr(f, "write"):
        f.write(writer.to_bytes())
    else:
        raise KindError(
            "save", "f", expected="a path, or a file open for writing", got=type(f).__name__
        )


def load(
    f: PathLike | IO[bytes],
    map_location: MapLocation = None,
    *,
    weights_only: bool = True,
    mmap: bool | None = None,
) -> Any:
    """What `save` wrote, what a safetensors file holds, or a PyTorch checkpoint (.pt, .pth), its
    tensors on the default device or where `map_location` says.

    A safetensors file from elsewhere gives a dict of tensors, and so does the index of one that is
    in several files (`….safetensors.index.json`). Of a PyTorch checkpoint tensors, parameters and
    plain containers are read, and tensors that shared storage share it again; it may be written by
    any PyTorch from 1.6 on. A file never runs code, whatever `weights_only` says; `mmap` changes
    nothing. Raises CheckpointError for a file that is missing, truncated, damaged or of another
    format, or that asks for code: then it says for which.
    """
    place = partial(_placed, map_location)
    with _opened(f) as (file, name):
        head = file.read(512)
        file.seek(0)
        if head.startswith(_ZIP):
            from plugrad.archives import read_archive

            return read_archive(file, name, place)
        content = file.read()
    if name.endswith(_INDEX):
        return _of_index(Path(name), content, place)
    return NestReader(name, content, place).read()


@contextmanager
def _opened(f: PathLike | IO[bytes]) -> Iterator[tuple[IO[bytes], str]]:
    """A file to read from its beginning, and its name for errors."""
    if isinstance(f, (str, os.PathLike)):
        try:
            file = open(f, "rb")  # noqa: SIM115 - closed below, where no error is this one
        except OSError as error:
            raise CheckpointError(os.fspath(f), f"cannot be read: {error.strerror}") from error
        with file:
            yield file, os.fspath(f)
    elif hasattr(f, "read"):
        yield BytesIO(f.read()), str(getattr(f, "name", f"<{type(f).__name__}>"))
    else:
        raise KindError(
            "load", "f", expected="a path, or a file open for reading", got=type(f).__name__
        )


def _placed(
    map_location: MapLocation, make: Callable[[DeviceLike], Tensor], location: str
) -> Tensor:
    if isinstance(map_location, Mapping):
        return make(map_location.get(location))
    if not callable(map_location):
        return make(map_location)
    storage = make("cpu")
    chosen = map_location(storage, location)
    if isinstance(chosen, Tensor):
        return chosen
    return make(chosen)


def _of_index(index: Path, content: bytes, place: Placing) -> dict[str, Tensor]:
    """The tensors of all files of an index, which lie beside it."""
    problem = "is no index of safetensors files"
    try:
        files: dict[str, str] = json.loads(content)["weight_map"]
        shards = sorted(set(files.values()))
        if any([Path(shard).name != shard for shard in shards]):
            raise ValueError("a file of another folder")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(str(index), problem) from error
    found: dict[str, Tensor] = {}
    for shard in shards:
        with _opened(index.with_name(shard)) as (file, name):
            found.update(NestReader(name, file.read(), place).read())
    missing = [name for name in files if name not in found]
    if missing:
        raise CheckpointError(str(index), f"names tensors that no file has: {', '.join(missing)}")
    return {name: found[name] for name in files}


def replace_file(file: Path, write: Callable[[Path], None]) -> None:
    """Have `write` make a new file beside `file`, and move it there once it is safely on the disk.

    Raises CheckpointError where the system refuses; the old file is then as it was.
    """
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        # safetensors makes files that only their owner may read: ours get the mode of any new file.
        new.touch()
        mode = new.stat().st_mode
        write(new)
        new.chmod(mode)
        with open(new, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(new, file)
    except BaseException as error:
        new.unlink(missing_ok=True)
        # safetensors reports the system's refusals under a class of its own.
        if isinstance(error, OSError) or type(error).__name__ == "SafetensorError":
            raise CheckpointError(
                str(file),
                f"cannot be written: {error}",
                hint="nothing was changed; choose a folder with room that you may write to",
            ) from error
        raise
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened, and its entries need no flushing
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
