"""Sequences of different lengths in one tensor: padded to the longest, or packed without padding.

Packed rows stand one time step after the other, in each step the sequences that are so long, the
longest first. Letters: T steps of the longest sequence, B sequences, * anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from plugrad.creation import arange, full, tensor
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError, KindError, ShapeError
from plugrad.functions.indexing import index_copy, index_select
from plugrad.functions.joining import cat
from plugrad.tensor import Tensor


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """What `pack_padded_sequence` and `pack_sequence` make, and recurrent layers take.

    `data` (rows, *), `batch_sizes` (T,) rows of each step on the CPU, `sorted_indices` (B,) where
    each sequence stood before they were sorted by length, and `unsorted_indices` (B,) how to undo
    that; both None if nothing was sorted.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if not isinstance(batch_sizes, Tensor):
            raise KindError(
                "PackedSequence",
                "batch_sizes",
                expected="a tensor",
                got=type(batch_sizes).__name__,
                hint="use pack_padded_sequence() or pack_sequence()",
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *where: Any, **named: Any) -> PackedSequence:
        """With the data on another device or of another dtype; itself if nothing changes."""
        data = self.data.to(*where, **named)
        if data is self.data:
            return self
        indices = [
            None if each is None else each.to(device=data.device)
            for each in (self.sorted_indices, self.unsorted_indices)
        ]
        return PackedSequence(data, self.batch_sizes, *indices)

    def cpu(self) -> PackedSequence:
        """On the default CPU backend."""
        return self.to(device="cpu")

    def cuda(self, *where: Any, **named: Any) -> PackedSequence:
        """On a CUDA device."""
        device = self.data.new_empty(0).cuda(*where, **named).device
        return self.to(device=device)

    def double(self) -> PackedSequence:
        """The data as float64."""
        return self._with(self.data.double())

    def float(self) -> PackedSequence:
        """The data as float32."""
        return self._with(self.data.float())

    def half(self) -> PackedSequence:
        """The data as float16."""
        return self._with(self.data.half())

    def long(self) -> PackedSequence:
        """The data as int64."""
        return self._with(self.data.long())

    def int(self) -> PackedSequence:
        """The data as int32."""
        return self._with(self.data.int())

    def _with(self, data: Tensor) -> PackedSequence:
        return PackedSequence(data, *self[1:])

    @property
    def is_cuda(self) -> bool:
        """Whether the data are on a CUDA device."""
        return self.data.is_cuda


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The order that undoes another; None undoes None."""
    if permutation is None:
        return None
    count = permutation.numel()
    places = arange(count, device=permutation.device)
    return index_copy(places, 0, permutation, places)


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Packed, from sequences padded to (T, B, *), or (B, T, *) if `batch_first`.

    `lengths` must fall, the longest sequence first; without `enforce_sorted` the sequences are
    sorted here.
    """
    name = "pack_padded_sequence"
    sizes = _as_lengths(lengths)
    padded = input.transpose(0, 1) if batch_first else input
    steps, count = padded.shape[:2]
    if len(sizes) != count:
        raise ShapeError(
            name, "lengths", expected=f"one for each of {count} sequences", got=len(sizes)
        )
    if not sizes or min(sizes) < 1 or max(sizes) > steps:
        raise ShapeError(name, "lengths", expected=f"numbers from 1 to {steps}", got=sizes)
    order = None
    if not enforce_sorted:
        ranks = sorted(range(count), key=lambda i: -sizes[i])
        order = tensor(ranks, dtype=int64, device=input.device)
        padded = index_select(padded, 1, order)
        sizes = [sizes[i] for i in ranks]
    elif any(a < b for a, b in pairwise(sizes)):
        raise ShapeError(
            name, "lengths", expected="falling numbers", got=sizes, hint="pass enforce_sorted=False"
        )
    batch_sizes = [sum(length > t for length in sizes) for t in range(sizes[0])]
    rows = padded.reshape(steps * count, *padded.shape[2:])
    if batch_sizes[-1] == count:
        data = rows[: count * len(batch_sizes)]
    else:
        data = index_select(rows, 0, _places(batch_sizes, count, input))
    return PackedSequence(data, tensor(batch_sizes, dtype=int64), order)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Sequences padded to (T, B, *), or (B, T, *) if `batch_first`, in the order that they had
    before they were packed; and their lengths.

    `total_length` pads to more than the longest.
    """
    data = sequence.data
    sizes = sequence.batch_sizes.tolist()
    steps, count = len(sizes), sizes[0]
    if total_length is not None:
        if total_length < steps:
            raise ArgumentError(
                "pad_packed_sequence",
                "total_length",
                expected=f"at least {steps}, the longest sequence's",
                got=total_length,
            )
        steps = total_length
    rest = tuple(data.shape[1:])
    blank = full((steps * count, *rest), padding_value, dtype=data.dtype, device=data.device)
    padded = index_copy(blank, 0, _places(sizes, count, data), data)
    padded = padded.reshape(steps, count, *rest)
    lengths = tensor([sum(size > i for size in sizes) for i in range(count)], dtype=int64)
    order = sequence.unsorted_indices
    if order is not None:
        padded = index_select(padded, 1, order)
        lengths = index_select(lengths, 0, order.to(device=lengths.device))
    return (padded.transpose(0, 1) if batch_first else padded), lengths


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Tensors (length, *) as one, (T, B, *), or (B, T, *) if `batch_first`, padded on one side."""
    if padding_side not in ("left", "right"):
        raise ArgumentError(
            "pad_sequence", "padding_side", expected="'left' or 'right'", got=repr(padding_side)
        )
    given = list(sequences)
    if not given:
        raise ArgumentError("pad_sequence", "sequences", expected="at least one", got="none")
    steps = max(each.shape[0] for each in given)
    first = given[0]
    rows: list[Tensor] = []
    for each in given:
        missing = (steps - each.shape[0], *first.shape[1:])
        pad = full(missing, padding_value, dtype=first.dtype, device=first.device)
        rows.append(cat([pad, each] if padding_side == "left" else [each, pad]).unsqueeze(0))
    padded = cat(rows)
    return padded if batch_first else padded.transpose(0, 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences (length, *) that `pad_sequence` padded on the right, copied out of it."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [
        each[:length].clone()
        for each, length in zip(padded_sequences, _as_lengths(lengths), strict=True)
    ]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packed, from tensors (length, *), the longest first unless `enforce_sorted` is off."""
    lengths = [each.shape[0] for each in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences (length, *) that `pack_sequence` packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


def _as_lengths(lengths: Tensor | Sequence[int]) -> list[int]:
    given = lengths.tolist() if isinstance(lengths, Tensor) else lengths
    return [int(each) for each in given]


def _places(sizes: Sequence[int], count: int, like: Tensor) -> Tensor:
    """Where packed rows stand among the T * B padded ones."""
    places = [t * count + i for t, size in enumerate(sizes) for i in range(size)]
    return tensor(places, dtype=int64, device=like.device)
