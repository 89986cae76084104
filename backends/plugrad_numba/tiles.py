"""Register tiles: the innermost loops of a convolution, with all sums in registers.

A loop over taps or over places that keeps its sums in arrays is bound by loads and stores, and LLVM
does not keep several rows of several vectors in registers by itself: the two tiles are written in
its language. Sixteen registers, which every x86-64 processor with AVX2 has, hold four rows of three
vectors, a vector for each column and one for a factor.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

ROWS, COLUMNS = 4, 3
_BYTES = 32  # of a vector
_INT = ir.IntType(64)


def lanes(itemsize: int) -> int:
    """Elements of a vector."""
    return _BYTES // itemsize


def weighted(columns: int, wide: bool, fresh: bool) -> Any:
    """`out[first + r * step + i] += sum(filters[t, r] * x[start + offsets[t] + i] for t in
    range(low, high))` for all of `ROWS` rows r and of so many vectors' (or, not `wide`, numbers')
    elements i; if `fresh`, added to `begin[r]`.
    """

    @intrinsic
    def tile(typing, x, start, offsets, low, high, filters, begin, out, first, step):
        def emit(context, builder, signature, arguments):
            tile = _Tile(context, builder, signature, wide)
            _, start, _, low, high, _, _, _, first, step = arguments
            x, offsets, filters, begin, out = (tile.memory(arguments, i) for i in (0, 2, 5, 6, 7))
            places = [
                builder.gep(out, [builder.add(first, builder.mul(step, _INT(row)))])
                for row in range(ROWS)
            ]
            sums = [
                tile.spread(begin, row) if fresh else tile.load(place, column)
                for row, place in enumerate(places)
                for column in range(columns)
            ]
            window = builder.gep(x, [start])

            def step_of(tap: Any, sums: list[Any]) -> list[Any]:
                seen = builder.gep(window, [builder.load(builder.gep(offsets, [tap]))])
                vectors = [tile.load(seen, column) for column in range(columns)]
                factors = builder.gep(filters, [builder.mul(tap, _INT(ROWS))])
                return [
                    tile.multiply_add(tile.spread(factors, row), vector, sums[row * columns + i])
                    for row in range(ROWS)
                    for i, vector in enumerate(vectors)
                ]

            sums = tile.loop(low, high, _INT(1), sums, step_of)
            for row, place in enumerate(places):
                for column in range(columns):
                    tile.store(sums[row * columns + column], place, column)
            return context.get_dummy_value()

        index = types.intp
        arguments = x, index, offsets, index, index, filters, begin, out, index, index
        return types.void(*arguments), emit

    return tile


def products(columns: int, wide: bool) -> Any:
    """`out[r, tap + c] += sum(y[first + r * step + i] * x[start + offsets[tap + c] + i] for i in
    range(count))` for all of `ROWS` rows r and of so many columns c; `count` is a multiple of a
    vector's elements if `wide`.
    """

    @intrinsic
    def tile(typing, x, start, offsets, tap, y, first, step, count, out):
        def emit(context, builder, signature, arguments):
            tile = _Tile(context, builder, signature, wide)
            _, start, _, tap, _, first, step, count, _ = arguments
            x, offsets, y, out = (tile.memory(arguments, i) for i in (0, 2, 4, 8))
            lines = [
                builder.gep(y, [builder.add(first, builder.mul(step, _INT(row)))])
                for row in range(ROWS)
            ]
            taps = [builder.add(tap, _INT(column)) for column in range(columns)]
            window = builder.gep(x, [start])
            seen = [builder.gep(window, [builder.load(builder.gep(offsets, [t]))]) for t in taps]

            def step_of(place: Any, sums: list[Any]) -> list[Any]:
                vectors = [tile.load(builder.gep(each, [place]), 0) for each in seen]
                coming = [tile.load(builder.gep(each, [place]), 0) for each in lines]
                return [
                    tile.multiply_add(left, right, sums[row * columns + i])
                    for row, left in enumerate(coming)
                    for i, right in enumerate(vectors)
                ]

            sums = [tile.zero] * (ROWS * columns)
            sums = tile.loop(_INT(0), count, _INT(tile.lanes), sums, step_of)
            width = tile.size_of(arguments, 8, 1)
            for row in range(ROWS):
                for i, t in enumerate(taps):
                    place = builder.gep(out, [builder.add(builder.mul(width, _INT(row)), t)])
                    total = tile.total(sums[row * columns + i])
                    builder.store(builder.fadd(builder.load(place), total), place)
            return context.get_dummy_value()

        index = types.intp
        return types.void(x, index, offsets, index, y, index, index, index, out), emit

    return tile


class _Tile:
    """What both tiles say in LLVM's language: of a floating dtype, that of the first argument, and
    of vectors, or of single numbers as vectors of one.
    """

    def __init__(self, context: Any, builder: Any, signature: Any, wide: bool) -> None:
        self._context, self._builder, self._types = context, builder, signature.args
        bits = signature.args[0].dtype.bitwidth
        self._size = bits // 8
        self.lanes = lanes(self._size) if wide else 1
        self._number = context.get_value_type(signature.args[0].dtype)
        self._vector = ir.VectorType(self._number, self.lanes)
        self.zero = ir.Constant(self._vector, [0.0] * self.lanes)
        self._fused = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(self._vector, [self._vector] * 3),
            f"llvm.fmuladd.v{self.lanes}f{bits}",
        )

    def memory(self, arguments: Any, index: int) -> Any:
        """Where an argument's elements lie."""
        return self._array(arguments, index).data

    def size_of(self, arguments: Any, index: int, axis: int) -> Any:
        """A size of an argument."""
        return self._builder.extract_value(self._array(arguments, index).shape, axis)

    def _array(self, arguments: Any, index: int) -> Any:
        make = self._context.make_array(self._types[index])
        return make(self._context, self._builder, arguments[index])

    def load(self, place: Any, column: int) -> Any:
        """A vector, aligned as its elements are."""
        loaded = self._builder.load(self._at(place, column))
        loaded.align = self._size
        return loaded

    def store(self, vector: Any, place: Any, column: int) -> None:
        """The same back."""
        self._builder.store(vector, self._at(place, column)).align = self._size

    def _at(self, place: Any, column: int) -> Any:
        element = self._builder.gep(place, [_INT(column * self.lanes)])
        return self._builder.bitcast(element, self._vector.as_pointer())

    def spread(self, numbers: Any, index: int) -> Any:
        """One of some numbers in every lane."""
        number = self._builder.load(self._builder.gep(numbers, [_INT(index)]))
        nothing = ir.Constant(self._vector, ir.Undefined)
        one = self._builder.insert_element(nothing, number, ir.IntType(32)(0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self._builder.shuffle_vector(one, nothing, lanes)

    def multiply_add(self, x: Any, y: Any, z: Any) -> Any:
        """`x * y + z`, in one step where the processor has it."""
        return self._builder.call(self._fused, [x, y, z])

    def total(self, vector: Any) -> Any:
        """The sum of the lanes."""
        place = ir.IntType(32)
        total = self._builder.extract_element(vector, place(0))
        for lane in range(1, self.lanes):
            total = self._builder.fadd(total, self._builder.extract_element(vector, place(lane)))
        return total

    def loop(self, low: Any, high: Any, step: Any, sums: list[Any], body: Any) -> list[Any]:
        """`for i in range(low, high, step): sums = body(i, sums)`, at least once."""
        builder, before = self._builder, self._builder.block
        inside = builder.append_basic_block("tile")
        after = builder.append_basic_block("tiled")
        builder.branch(inside)
        builder.position_at_end(inside)
        index = builder.phi(_INT)
        carried = [builder.phi(self._vector) for _ in sums]
        results = body(index, carried)
        following = builder.add(index, step)
        for phi, start, end in zip(
            [index, *carried], [low, *sums], [following, *results], strict=True
        ):
            phi.add_incoming(start, before)
            phi.add_incoming(end, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, high), inside, after)
        builder.position_at_end(after)
        return results
