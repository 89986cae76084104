"""How a tensor prints: PyTorch's layout, digits and elision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugrad import dtypes
from plugrad.devices import META
from plugrad.ops.joining import cat
from plugrad.ops.views import slice_dim

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


@dataclass(slots=True)
class _Options:
    precision: int = 4
    threshold: int = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: int | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose digits after the point, from how many elements on to elide, how many to keep at each
    edge, the line's width.

    `profile` is "default", "short" (2 digits, 2 at each edge) or "full" (no elision).
    """
    presets = {
        "default": _Options(),
        "short": _Options(precision=2, edgeitems=2),
        "full": _Options(threshold=2**62),
    }
    if profile is not None:
        preset = presets[profile]
        _options.precision, _options.threshold = preset.precision, preset.threshold
        _options.edgeitems, _options.linewidth = preset.edgeitems, preset.linewidth
    for name, value in (
        ("precision", precision),
        ("threshold", threshold),
        ("edgeitems", edgeitems),
        ("linewidth", linewidth),
    ):
        if value is not None:
            setattr(_options, name, value)
    _options.sci_mode = sci_mode


def format_tensor(tensor: Tensor, prefix: str = "tensor(") -> str:
    """What `repr` gives: the elements, and what cannot be seen in them."""
    facts: list[str] = []
    meta = tensor.device.type == META
    if meta:
        body = "..."
        facts.append(f"size={tuple(tensor.shape)}")
    elif tensor.numel() == 0:
        body = "[]"
        if tensor.ndim != 1:
            facts.append(f"size={tuple(tensor.shape)}")
    else:
        body = _body(tensor, len(prefix))
    if str(tensor.device) != "numpy":
        facts.append(f"device='{tensor.device}'")
    plain = (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_)
    if tensor.dtype not in plain or (tensor.numel() == 0 and tensor.dtype is dtypes.int64) or meta:
        facts.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        facts.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        facts.append("requires_grad=True")
    return prefix + ", ".join([body, *facts]) + ")"


def _body(tensor: Tensor, indent: int) -> str:
    tensor = tensor.detach()
    elide = tensor.numel() > _options.threshold
    shown = _edges(tensor) if elide else tensor
    write = _writer(_flat(shown.tolist()))
    return _nested(tensor.shape, shown.tolist(), write, indent, elide)


def _edges(tensor: Tensor) -> Tensor:
    keep = _options.edgeitems
    for dim, size in enumerate(tensor.shape):
        if size > 2 * keep:
            ends = slice_dim(tensor, dim, 0, keep, 1), slice_dim(tensor, dim, size - keep, size, 1)
            tensor = cat(ends, dim)
    return tensor


def _flat(values: Any) -> list[Any]:
    if not isinstance(values, list):
        return [values]
    found: list[Any] = []
    for each in values:
        found += _flat(each)
    return found


def _writer(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, bool):
        width = max(len(str(value)) for value in values)
        return lambda value: f"{value!s:>{width}}"
    if isinstance(first, int):
        width = max(len(str(value)) for value in values)
        return lambda value: f"{value:>{width}}"
    if isinstance(first, complex):
        real = _float_writer([value.real for value in values])
        imag = _float_writer([abs(value.imag) for value in values])

        def write(z: complex) -> str:
            sign = "-" if math.copysign(1, z.imag) < 0 else "+"
            return f"{real(z.real)}{sign}{imag(abs(z.imag)).strip()}j"

        return write
    return _float_writer(values)


def _float_writer(values: list[float]) -> Any:
    digits = _options.precision
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    whole = all(value == math.floor(value) for value in sizes)
    scientific = _options.sci_mode
    if scientific is None:
        scientific = bool(sizes) and (
            max(sizes) / min(sizes) > 1000 or max(sizes) > 1e8 or min(sizes) < 1e-4
        )
        if whole:
            scientific = bool(sizes) and (max(sizes) / min(sizes) > 1000 or max(sizes) > 1e8)
    form = f".{digits}e" if scientific else (".0f" if whole else f".{digits}f")
    tail = "." if whole and not scientific else ""

    def write(value: float) -> str:
        return f"{value:{form}}{tail if math.isfinite(value) else ''}"

    width = max(len(write(value)) for value in values)
    return lambda value: f"{write(value):>{width}}"


def _nested(shape: tuple[int, ...], values: Any, write: Any, indent: int, elide: bool) -> str:
    if not shape:
        return write(values).strip()
    keep = _options.edgeitems
    cut = elide and shape[0] > 2 * keep
    if len(shape) == 1:
        words = [write(value) for value in values]
        if cut:
            words.insert(keep, " ...")
        room = max((_options.linewidth - indent) // (len(words[0]) + 2), 1)
        lines = [", ".join(words[start : start + room]) for start in range(0, len(words), room)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = [_nested(shape[1:], value, write, indent + 1, elide) for value in values]
    if cut:
        rows.insert(keep, "...")
    gap = "," + "\n" * (len(shape) - 1) + " " * (indent + 1)
    return "[" + gap.join(rows) + "]"
