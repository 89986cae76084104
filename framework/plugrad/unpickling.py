"""Pickles read as data: a machine that knows containers, numbers and text, and nothing of Python.

A pickle is a program, and `pickle.load` runs whatever it names. Here a global is looked up in a
table that the caller gives, only the callables of that table are called, and only containers that
the pickle itself made are changed. The opcodes are those of Python's `pickletools`.
"""

from __future__ import annotations

import pickletools
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple


class RefusedError(Exception):
    """What a pickle asks for is not data; the message says what it asks for."""


class Builder(NamedTuple):
    """An entry of the table that may be called with what the pickle has at hand."""

    build: Callable[..., Any]


_MARK = object()
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
    "MARK": lambda: _MARK,
}
_NUMBERS = ("INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT")
_TEXTS = ("UNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE")
_STRINGS = ("STRING", "BINSTRING", "SHORT_BINSTRING")
_BYTES = ("BINBYTES", "BINBYTES8", "SHORT_BINBYTES", "BYTEARRAY8")
_LITERALS = frozenset((*_NUMBERS, *_TEXTS, *_STRINGS, *_BYTES))
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_DICTS = (dict, OrderedDict, Counter)


def unpickle(data: bytes, look_up: Callable[[str], Any], fetch: Callable[[Any], Any]) -> Any:
    """The object that a pickle describes.

    `look_up` gives the value of a global by its full name, a `Builder` if it may be called; `fetch`
    the object of a persistent id. Raises RefusedError for what is no data, ValueError and its like
    for what is no pickle.
    """
    machine = _Machine(look_up, fetch)
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "STOP":
            break
        machine.step(opcode.name, argument)
    return machine.result()


class _Machine:
    def __init__(self, look_up: Callable[[str], Any], fetch: Callable[[Any], Any]) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._look_up = look_up
        self._fetch = fetch

    def step(self, name: str, argument: Any) -> None:
        """Follow one opcode."""
        stack = self.stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _TUPLES:
            stack.append(tuple(self._pop(_TUPLES[name])))
        else:
            handler = _HANDLERS.get(name)
            if handler is None:
                raise RefusedError(f"pickle's {name}")
            handler(self, argument)

    def result(self) -> Any:
        """What is left in the end."""
        (result,) = self._pop(len(self.stack))
        return result

    def _pop(self, count: int) -> list[Any]:
        taken = self.stack[-count:]
        if len(taken) < count or any([each is _MARK for each in taken]):
            raise ValueError("the stack is too short")
        del self.stack[-count:]
        return taken

    def _since_mark(self) -> list[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                taken = self.stack[place + 1 :]
                del self.stack[place:]
                return taken
        raise ValueError("no mark")

    def _top(self, *kinds: type) -> Any:
        top = self.stack[-1]
        if type(top) not in kinds:
            raise RefusedError(f"changing an object of class {type(top).__name__}")
        return top

    # memory

    def memoize(self, argument: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def put(self, argument: Any) -> None:
        self._memo[int(argument)] = self.stack[-1]

    def get(self, argument: Any) -> None:
        self.stack.append(self._memo[int(argument)])

    def pop(self, argument: Any) -> None:
        self._pop(1)

    def skip(self, argument: Any) -> None:
        """PROTO and FRAME: for readers of bytes."""

    # containers

    def make_tuple(self, argument: Any) -> None:
        self.stack.append(tuple(self._since_mark()))

    def make_list(self, argument: Any) -> None:
        self.stack.append(self._since_mark())

    def make_frozenset(self, argument: Any) -> None:
        self.stack.append(frozenset(self._since_mark()))

    def make_dict(self, argument: Any) -> None:
        values = self._since_mark()
        self.stack.append(dict(zip(values[::2], values[1::2], strict=True)))

    def append(self, argument: Any) -> None:
        (value,) = self._pop(1)
        self._top(list).append(value)

    def appends(self, argument: Any) -> None:
        values = self._since_mark()
        self._top(list).extend(values)

    def add(self, argument: Any) -> None:
        values = self._since_mark()
        self._top(set).update(values)

    def set_item(self, argument: Any) -> None:
        key, value = self._pop(2)
        self._top(*_DICTS)[key] = value

    def set_items(self, argument: Any) -> None:
        values = self._since_mark()
        target = self._top(*_DICTS)
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[key] = value

    # what a pickle asks of others

    def find(self, argument: Any) -> None:
        self.stack.append(self._look_up(argument.replace(" ", ".")))

    def find_by_stack(self, argument: Any) -> None:
        self.stack.append(self._look_up(".".join(map(str, self._pop(2)))))

    def call(self, argument: Any) -> None:
        builder, arguments = self._pop(2)
        if not isinstance(builder, Builder):
            raise RefusedError(f"a call of {builder!r}")
        self.stack.append(builder.build(*arguments))

    def set_state(self, argument: Any) -> None:
        """The attributes of a dict: PyTorch's `_metadata`, the versions of modules."""
        (state,) = self._pop(1)
        target = self._top(OrderedDict)
        target.__dict__.update({str(key): value for key, value in dict(state).items()})

    def fetch(self, argument: Any) -> None:
        (key,) = self._pop(1)
        self.stack.append(self._fetch(key))


_HANDLERS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _Machine.skip,
    "FRAME": _Machine.skip,
    "MEMOIZE": _Machine.memoize,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    "POP": _Machine.pop,
    "TUPLE": _Machine.make_tuple,
    "LIST": _Machine.make_list,
    "DICT": _Machine.make_dict,
    "FROZENSET": _Machine.make_frozenset,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "ADDITEMS": _Machine.add,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.find,
    "STACK_GLOBAL": _Machine.find_by_stack,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.set_state,
    "BINPERSID": _Machine.fetch,
}
