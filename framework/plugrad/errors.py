"""Every exception that plugrad raises on purpose.

    PlugradError
    ├── OperatorError          one operator call: fields operator, argument, expected, got, hint
    │   ├── ShapeError             (RuntimeError)
    │   ├── DtypeError             (RuntimeError, TypeError)
    │   ├── DeviceError            (RuntimeError)
    │   ├── RangeError             (IndexError)
    │   ├── ArgumentError          (ValueError)
    │   ├── LinAlgError            (RuntimeError)  a matrix on which an algorithm fails
    │   ├── KindError              (TypeError)  an object of the wrong class
    │   └── UnsupportedError       (NotImplementedError)  no kernel and no body answered
    ├── BackendError           one backend: fields backend, hint
    │   ├── UnknownBackendError    (ValueError)
    │   ├── BackendImportError     (ImportError)
    │   ├── BackendUnavailableError (RuntimeError)
    │   ├── OutOfMemoryError       (RuntimeError)  fields device, asked, allocated, …
    │   ├── BackendBlockedError    (RuntimeError)
    │   ├── ContractError          (RuntimeError)
    │   └── PluginError            (RuntimeError)  a plugin whose hooks do not fit the contract
    ├── AutogradError          (RuntimeError)
    │   ├── GraphFreedError        backward a second time through a freed graph
    │   ├── VersionError           a saved tensor was changed before backward
    │   ├── InPlaceError           an in-place write that would break the graph
    │   └── GradcheckError         a backward that disagrees with finite differences
    ├── CheckpointError        (RuntimeError)  a file that cannot be read, or does not fit
    └── WorkerError            (RuntimeError)  a process that makes batches: fields worker, hint

The second base is what PyTorch raises for the same mistake, so that `except` clauses carry over.
"""

from __future__ import annotations

from typing import Any


class PlugradError(Exception):
    """The root of the tree."""


class OperatorError(PlugradError):
    """A call that an operator refuses: says which argument, what was expected and what came."""

    def __init__(
        self, operator: str, argument: str, *, expected: str, got: Any, hint: str = ""
    ) -> None:
        self.operator = operator
        self.argument = argument
        self.expected = expected
        self.got = got
        self.hint = hint
        advice = f"; {hint}" if hint else ""
        super().__init__(f"{operator}: {argument}: expected {expected}, got {got}{advice}")

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (self.operator, self.argument, self.expected, self.got, self.hint)
        return _rebuild_operator_error, (type(self), *fields)


def _rebuild_operator_error(
    kind: type[OperatorError], operator: str, argument: str, expected: str, got: Any, hint: str
) -> OperatorError:
    return kind(operator, argument, expected=expected, got=got, hint=hint)


class ShapeError(OperatorError, RuntimeError):
    """Shapes that do not fit each other or the operator."""


class DtypeError(OperatorError, RuntimeError, TypeError):
    """A dtype that the operator does not take."""


class DeviceError(OperatorError, RuntimeError):
    """Operands on different devices."""


class RangeError(OperatorError, IndexError):
    """An axis or an index outside its range."""


class ArgumentError(OperatorError, ValueError):
    """A parameter whose value makes no sense for the operator."""


class LinAlgError(OperatorError, RuntimeError):
    """A matrix is singular, not positive definite, or an algorithm does not converge on it."""


class KindError(OperatorError, TypeError):
    """An argument that is not the kind of object that is wanted."""


class UnsupportedError(OperatorError, NotImplementedError):
    """A call that no kernel of the backend took and that has no body to fall back on."""


class BackendError(PlugradError):
    """A backend that cannot be used: says why, and the way out."""

    def __init__(self, backend: str, problem: str, *, hint: str = "") -> None:
        self.backend = backend
        self.problem = problem
        self.hint = hint
        advice = f"; {hint}" if hint else ""
        super().__init__(f"backend {backend!r}: {problem}{advice}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_backend_error, (type(self), self.backend, self.problem, self.hint)


def _rebuild_backend_error(
    kind: type[BackendError], backend: str, problem: str, hint: str
) -> BackendError:
    return kind(backend, problem, hint=hint)


class UnknownBackendError(BackendError, ValueError):
    """No installed distribution offers a backend of that name."""


class BackendImportError(BackendError, ImportError):
    """The backend is installed, but importing it failed; the cause is chained."""


class BackendUnavailableError(BackendError, RuntimeError):
    """The backend is loaded, but has no such device on this machine."""


class OutOfMemoryError(BackendError, RuntimeError):
    """A device has no room for an array. All figures are bytes: `asked` for, `allocated` to arrays,
    `reserved` by the backend for arrays present and future, `free` on the device, and its `total`.
    """

    def __init__(
        self, device: str, *, asked: int, allocated: int, reserved: int, free: int, total: int
    ) -> None:
        self.device = device
        self.asked = asked
        self.allocated = allocated
        self.reserved = reserved
        self.free = free
        self.total = total
        super().__init__(
            device.partition(":")[0],
            f"out of memory on {device}: {_bytes(asked)} asked; of {_bytes(total)} in all "
            f"{_bytes(free)} are free, {_bytes(allocated)} are in arrays and "
            f"{_bytes(reserved - allocated)} reserved for more",
            hint="use a smaller batch, or let go of tensors and graphs that are not needed",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        figures = (self.asked, self.allocated, self.reserved, self.free, self.total)
        return _rebuild_out_of_memory_error, (type(self), self.device, *figures)


def _rebuild_out_of_memory_error(
    kind: type[OutOfMemoryError],
    device: str,
    asked: int,
    allocated: int,
    reserved: int,
    free: int,
    total: int,
) -> OutOfMemoryError:
    return kind(device, asked=asked, allocated=allocated, reserved=reserved, free=free, total=total)


def _bytes(count: int) -> str:
    """`3 bytes`, `1.50 KiB`, `22.00 GiB`."""
    if count < 1024:
        return f"{count} bytes"
    power = min((count.bit_length() - 1) // 10, 4)
    return f"{count / 1024**power:.2f} {'KMGT'[power - 1]}iB"


class BackendBlockedError(BackendError, RuntimeError):
    """An environment variable forbids the backend."""


class ContractError(BackendError, RuntimeError):
    """The backend was written for a version of the operator contract that is not spoken here."""


class PluginError(BackendError, RuntimeError):
    """A plugin that does not fit: unknown hook, different signature, name taken."""


class NotABackendError(PluginError):
    """A plugin, which has no tensors of its own, where a backend was asked for."""


class AutogradError(PlugradError, RuntimeError):
    """A gradient that cannot be computed."""


class GraphFreedError(AutogradError):
    """The graph's saved tensors were released by an earlier backward."""


class VersionError(AutogradError):
    """A tensor that backward needs was changed in place after it was saved."""


class InPlaceError(AutogradError):
    """An in-place write that the graph does not allow."""


class GradcheckError(AutogradError):
    """Backward disagrees with the function that it belongs to."""


class CheckpointError(PlugradError, RuntimeError):
    """A checkpoint that is truncated, foreign, or does not fit the model."""

    def __init__(self, path: str, problem: str, *, hint: str = "") -> None:
        self.path = path
        self.problem = problem
        self.hint = hint
        advice = f"; {hint}" if hint else ""
        super().__init__(f"{path}: {problem}{advice}")


class WorkerError(PlugradError, RuntimeError):
    """A worker process of a `DataLoader` that died, does not answer, or cannot be started."""

    def __init__(self, worker: int, problem: str, *, hint: str = "") -> None:
        self.worker = worker
        self.problem = problem
        self.hint = hint
        advice = f"; {hint}" if hint else ""
        super().__init__(f"worker {worker} of the DataLoader {problem}{advice}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_worker_error, (self.worker, self.problem, self.hint), self.__dict__


def _rebuild_worker_error(worker: int, problem: str, hint: str) -> WorkerError:
    return WorkerError(worker, problem, hint=hint)
