"""Storage: what a backend tells and does besides computing. Bytes travel and come back, views share
memory, and the manifest says what is so.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

import plugrad
from plugrad import dtypes, hooks
from plugrad.dtypes import DType
from plugrad_conformance import journal
from plugrad_conformance.answers import backend_of
from plugrad_conformance.case import native
from plugrad_conformance.rows import to_numpy, to_tensor

LEVEL = 0

#: What no backend can do without: masks, positions and numbers.
REQUIRED = (dtypes.bool_, dtypes.int64, dtypes.float32)
SHAPES = ((), (1,), (5,), (0,), (2, 0, 3), (3, 4), (2, 3, 4), (70_001,))
SERVICES = (
    *("device_count", "array_from_host", "array_to_host", "array_flatten", "array_view"),
    *("array_adopt", "array_spec", "array_to_numpy", "synchronize"),
)

every_dtype = pytest.mark.parametrize("dtype", dtypes.ALL, ids=lambda dtype: dtype.name)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))


def service(device: str, name: str) -> Any:
    return backend_of(device).service(name)


def index_of(device: str) -> int | None:
    return plugrad.device(device).index


def numbers(shape: tuple[int, ...], dtype: DType) -> np.ndarray[Any, Any]:
    """Elements that differ from their neighbours; in floats also NaN, infinity and -0."""
    count = int(np.prod(shape, dtype=np.int64))
    x = np.arange(count) % 97
    if dtype.kind == "bool":
        return (x % 3 == 0).reshape(shape)
    if dtype.kind == "int":
        return x.astype(native(dtype)).reshape(shape)
    y = x * 0.5 - (x % 2)
    y = y + 1j * x if dtype.is_complex else y
    y = y.astype(native(dtype))
    y[3:4], y[2:3], y[1:2] = -0.0, np.nan, np.inf
    return y.reshape(shape)


def skip_unless_stored(device: str, dtype: DType) -> None:
    if dtype not in backend_of(device).manifest.dtypes:
        pytest.skip(f"{device} does not store {dtype}")


def sent(array: np.ndarray[Any, Any], device: str, dtype: DType) -> Any:
    """A native array with these elements."""
    data = memoryview(np.ascontiguousarray(array).tobytes())
    return service(device, "array_from_host")(data, dtype, array.shape, index_of(device))


def received(array: Any, device: str) -> bytes:
    """The bytes of a native array."""
    return bytes(service(device, "array_to_host")(array))


# what the backend says of itself ------------------------------------------------------------------


def test_manifest_is_consistent(device: str) -> None:
    manifest = backend_of(device).manifest
    assert manifest.name == plugrad.device(device).type
    assert manifest.version
    assert manifest.description
    assert len(set(manifest.dtypes)) == len(manifest.dtypes)
    assert set(manifest.computes or ()) <= set(manifest.dtypes)
    assert set(manifest.features) <= set(get_args(hooks.Feature))


def test_manifest_names_the_dtypes_that_no_program_can_do_without(device: str) -> None:
    manifest = backend_of(device).manifest
    computed = manifest.dtypes if manifest.computes is None else manifest.computes
    assert set(REQUIRED) <= set(computed)


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_there(name: str, device: str) -> None:
    assert callable(service(device, name))


def test_there_is_a_device(device: str) -> None:
    assert service(device, "device_count")() >= 1


def test_numbered_devices_say_their_index(device: str) -> None:
    backend = backend_of(device)
    if not backend.manifest.numbered:
        assert plugrad.device(device).index is None
        return
    array = sent(numbers((3,), dtypes.float32), device, dtypes.float32)
    assert backend.service("array_index")(array) == index_of(device)


def test_synchronize_returns_true(device: str) -> None:
    assert service(device, "synchronize")(index_of(device)) is True


@every_dtype
def test_dtype_that_is_not_stored_is_refused(dtype: DType, device: str) -> None:
    if dtype in backend_of(device).manifest.dtypes:
        assert plugrad.zeros(2, dtype=dtype, device=device).dtype is dtype
        return
    with pytest.raises(plugrad.errors.UnsupportedError):
        plugrad.zeros(2, dtype=dtype, device=device)
    with pytest.raises(plugrad.errors.UnsupportedError):
        plugrad.tensor([0, 1], dtype=dtype, device=device)


# bytes --------------------------------------------------------------------------------------------


@every_shape
@every_dtype
def test_bytes_come_back_as_they_went(dtype: DType, shape: tuple[int, ...], device: str) -> None:
    skip_unless_stored(device, dtype)
    array = numbers(shape, dtype)
    made = sent(array, device, dtype)
    found_shape, found_dtype = service(device, "array_spec")(made)
    assert (tuple(found_shape), found_dtype) == (shape, dtype)
    assert received(made, device) == array.tobytes()


@every_dtype
def test_array_does_not_keep_the_bytes_it_was_made_from(dtype: DType, device: str) -> None:
    skip_unless_stored(device, dtype)
    array = numbers((3, 4), dtype)
    data = bytearray(array.tobytes())
    made = service(device, "array_from_host")(
        memoryview(data), dtype, array.shape, index_of(device)
    )
    data[:] = bytes(len(data))
    assert received(made, device) == array.tobytes()


@every_shape
@every_dtype
def test_numpy_sees_the_elements(dtype: DType, shape: tuple[int, ...], device: str) -> None:
    skip_unless_stored(device, dtype)
    array = numbers(shape, dtype)
    seen = service(device, "array_to_numpy")(sent(array, device, dtype))
    assert (seen.shape, seen.dtype) == (shape, native(dtype))
    assert np.ascontiguousarray(seen).tobytes() == array.tobytes()


@every_dtype
def test_tensor_goes_to_the_reference_and_back(dtype: DType, device: str) -> None:
    skip_unless_stored(device, dtype)
    array = numbers((2, 3, 4), dtype)
    there = to_tensor(array, device).permute(2, 0, 1)
    back = there.to("numpy").to(device)
    assert str(back.device) == device
    assert to_numpy(back).tobytes() == np.ascontiguousarray(array.transpose(2, 0, 1)).tobytes()


# views --------------------------------------------------------------------------------------------

# Shape, strides and offset over a buffer of 24 elements.
VIEWS: dict[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {
    "whole": ((2, 3, 4), (12, 4, 1), 0),
    "transposed": ((4, 6), (1, 4), 0),
    "stepping": ((3, 4), (8, 2), 1),
    "end": ((5,), (1,), 19),
    "one": ((), (), 23),
    "diagonal": ((4,), (5,), 0),
    "windows": ((9, 4), (2, 1), 3),
    "repeated": ((3, 4), (0, 1), 8),
    "nothing": ((0, 4), (4, 1), 0),
    "nothing_at_the_end": ((3, 0), (4, 1), 24),
}

every_view = pytest.mark.parametrize("view", VIEWS)


def looked_at(flat: np.ndarray[Any, Any], view: str) -> np.ndarray[Any, Any]:
    shape, strides, offset = VIEWS[view]
    steps = [stride * flat.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps)


@every_view
@every_dtype
def test_view_shows_the_elements_at_its_strides(dtype: DType, view: str, device: str) -> None:
    skip_unless_stored(device, dtype)
    flat = numbers((24,), dtype)
    array = service(device, "array_view")(sent(flat, device, dtype), dtype, *VIEWS[view])
    found_shape, found_dtype = service(device, "array_spec")(array)
    assert (tuple(found_shape), found_dtype) == (VIEWS[view][0], dtype)
    wanted = np.ascontiguousarray(looked_at(flat, view)).tobytes()
    assert received(array, device) == wanted
    assert received(service(device, "array_flatten")(array), device) == wanted
    seen = service(device, "array_to_numpy")(array)
    assert np.ascontiguousarray(seen).tobytes() == wanted


@every_view
def test_flat_array_has_one_axis(view: str, device: str) -> None:
    buffer = sent(numbers((24,), dtypes.float32), device, dtypes.float32)
    array = service(device, "array_view")(buffer, dtypes.float32, *VIEWS[view])
    shape, dtype = service(device, "array_spec")(service(device, "array_flatten")(array))
    assert (tuple(shape), dtype) == ((looked_at(np.zeros(24), view).size,), dtypes.float32)


@every_dtype
def test_what_is_written_through_one_view_is_seen_through_another(
    dtype: DType, device: str
) -> None:
    skip_unless_stored(device, dtype)
    array = numbers((4, 6), dtype)
    base = to_tensor(array, device)
    rows, columns, window = base[1:3], base.t(), base[1:, 2::3]
    wanted = array.copy()
    wanted[1:, 2::3] = wanted[:3, :2]
    window.copy_(base[:3, :2].clone())
    for tensor, expected in (
        (base, wanted),
        (rows, wanted[1:3]),
        (columns, wanted.T),
        (window, wanted[1:, 2::3]),
    ):
        assert to_numpy(tensor).tobytes() == np.ascontiguousarray(expected).tobytes()


def test_views_share_one_storage_and_say_their_place_in_it(device: str) -> None:
    base = to_tensor(numbers((4, 6), dtypes.float32), device)
    view = base[1:, 2::3].t()
    assert view.untyped_storage() is base.untyped_storage()
    assert (tuple(view.shape), view.stride(), view.storage_offset()) == ((2, 3), (3, 6), 8)
    assert not view.is_contiguous()
    copy = view.contiguous()
    assert copy.untyped_storage() is not base.untyped_storage()
    assert (copy.stride(), copy.storage_offset()) == ((3, 1), 0)
    np.testing.assert_array_equal(to_numpy(copy), to_numpy(view))


def test_flattening_what_lies_in_order_copies_nothing(device: str) -> None:
    base = to_tensor(numbers((3, 4), dtypes.float32), device)
    flat = base.reshape(12)
    flat.copy_(plugrad.zeros(12, device=device))
    np.testing.assert_array_equal(to_numpy(base), np.zeros((3, 4)))
    other = base.t().reshape(12)
    other.copy_(plugrad.ones(12, device=device))
    np.testing.assert_array_equal(to_numpy(base), np.zeros((3, 4)))


@pytest.mark.parametrize(
    ("whole", "half"),
    [(dtypes.complex64, dtypes.float32), (dtypes.complex128, dtypes.float64)],
    ids=["complex64", "complex128"],
)
def test_complex_numbers_can_be_seen_as_pairs(whole: DType, half: DType, device: str) -> None:
    skip_unless_stored(device, whole)
    skip_unless_stored(device, half)
    array = numbers((6,), whole)
    view = service(device, "array_view")
    pairs = view(sent(array, device, whole), half, (6, 2), (2, 1), 0)
    assert service(device, "array_spec")(pairs)[1] is half
    assert received(pairs, device) == array.tobytes()
    halves = np.ascontiguousarray(array.view(native(half)))
    joined = view(sent(halves, device, half), whole, (3,), (2,), 0)
    assert service(device, "array_spec")(joined)[1] is whole
    assert received(joined, device) == np.ascontiguousarray(array[::2]).tobytes()


# foreign arrays -----------------------------------------------------------------------------------


def adopted(value: Any, device: str) -> Any:
    return service(device, "array_adopt")(value, index_of(device))


@every_dtype
def test_array_of_its_own_is_adopted_as_it_is(dtype: DType, device: str) -> None:
    skip_unless_stored(device, dtype)
    array = numbers((3, 4), dtype)
    twin = adopted(sent(array, device, dtype), device)
    assert twin is not None
    assert received(twin, device) == array.tobytes()


FOREIGN: dict[str, Any] = {
    "plain": lambda array: array,
    "transposed": lambda array: array.T,
    "flipped": lambda array: array[::-1],
    "stepping": lambda array: array[:, ::2],
    "read-only": lambda array: _frozen(array),
    "byte-swapped": lambda array: array.astype(array.dtype.newbyteorder()),
    "column-major": np.asfortranarray,
    "number": lambda array: array[1, 2],
    "empty": lambda array: array[:0],
}


def _frozen(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("form", FOREIGN)
@every_dtype
def test_numpy_array_is_adopted_in_any_form(dtype: DType, form: str, device: str) -> None:
    skip_unless_stored(device, dtype)
    if form == "byte-swapped" and dtype is dtypes.bfloat16:
        pytest.skip("bfloat16 has no other byte order in NumPy")
    array = FOREIGN[form](numbers((3, 4), dtype).copy())
    wanted = np.ascontiguousarray(np.asarray(array).astype(native(dtype)))
    made = adopted(array, device)
    assert made is not None
    shape, found = service(device, "array_spec")(made)
    assert (tuple(shape), found) == (np.shape(array), dtype)
    assert received(made, device) == wanted.tobytes()


def test_writing_to_what_was_adopted_spares_memory_that_is_read_only(device: str) -> None:
    array = _frozen(numbers((5,), dtypes.float32).copy())
    before = array.tobytes()
    plugrad.tensor(array, device=device).copy_(plugrad.zeros(5, device=device))
    tensor = plugrad.as_tensor(array, device=device)
    tensor.copy_(plugrad.zeros(5, device=device))
    assert array.tobytes() == before


@pytest.mark.parametrize(
    "value", [[1.0, 2.0], "text", object(), None], ids=["list", "text", "object", "none"]
)
def test_what_is_no_array_is_declined(value: Any, device: str) -> None:
    assert adopted(value, device) is None


def test_memory_is_shared_with_numpy_where_the_manifest_says_so(device: str) -> None:
    host = np.zeros(4, np.float32)
    array = adopted(host, device)
    host[1] = 5
    seen_in = received(array, device) == host.tobytes()
    shown = service(device, "array_to_numpy")(array)
    host[2] = 7
    shared = seen_in and shown.tobytes() == host.tobytes()
    if "host memory" in backend_of(device).manifest.features:
        assert shared, "the manifest says 'host memory', but NumPy's arrays are copied"
    elif shared:
        journal.remark(
            "under-claimed: NumPy's arrays are adopted and shown without a copy, and the manifest "
            "does not say 'host memory'"
        )
