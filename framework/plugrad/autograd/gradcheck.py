"""gradcheck: backward and forward mode compared with central differences.

A complex number counts as two real ones. In PyTorch's convention the gradient of a real loss is
dL/dRe + i dL/dIm, so the cotangents 1 and i of an output give the rows of a real Jacobian; a
Jacobian here is (elements of the input, elements of the output), twice as many for complex ones:
first all the real parts, then all the imaginary parts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from plugrad import creation, reverse
from plugrad.errors import ArgumentError, GradcheckError
from plugrad.forward import DualLevel, dual, tangent_in
from plugrad.functions.elementwise import allclose
from plugrad.functions.joining import cat, stack
from plugrad.ops.elementwise import abs as absolute
from plugrad.random import Generator, randn
from plugrad.tape import enable_grad
from plugrad.tensor import Tensor
from plugrad.value import Value

Function = Callable[..., Any]


def gradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Whether the gradients of `func` at these inputs agree with central differences of step `eps`.

    Checked are the inputs that require grad, which should be float64 or complex128. Backward must
    also repeat itself within `nondet_tol`, give zeros for zeros and, unless told otherwise, cope
    with outputs that nobody used. `check_forward_ad` compares forward mode too, and without
    `check_backward_ad` it alone. `fast_mode` compares one random projection of each Jacobian.
    """
    tensors = [inputs] if isinstance(inputs, Value) else list(inputs)
    try:
        check = _Check(func, tensors, eps, atol, rtol, nondet_tol)
        if check_forward_ad:
            check.compare(check.projected_forwards if fast_mode else check.whole_forwards)
        if check_backward_ad:
            check.compare(check.projected if fast_mode else check.whole)
            check.reverse_zeros()
            if check_undefined_grad:
                check.reverse_unused()
            if check_grad_dtypes:
                check.reverse_dtypes()
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Any] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
) -> bool:
    """`gradcheck` of the gradients themselves, as functions of the inputs and the cotangents.

    Cotangents that are not given are random. `check_fwd_over_rev` and `check_rev_over_rev` say
    whether the second derivative is taken in forward mode, backwards, or both.
    """
    tensors = [inputs] if isinstance(inputs, Value) else list(inputs)
    if grad_outputs is None:
        stream = Generator().manual_seed(0)
        outputs = _followed(func, tensors)
        cotangents = [
            randn(each.shape, dtype=each.dtype.to_real(), device=each.device, generator=stream).to(
                each.dtype
            )
            for each in outputs
        ]
    else:
        given = [grad_outputs] if isinstance(grad_outputs, Value) else list(grad_outputs)
        cotangents = [each.detach() for each in given]
    for each in cotangents:
        each.requires_grad_()
    count = len(tensors)

    def gradients(*arguments: Any) -> tuple[Any, ...]:
        outputs = _followed(func, arguments[:count])
        sources = [each for each in arguments[:count] if _requires_grad(each)]
        found = reverse.grad(
            outputs, sources, arguments[count:], retain_graph=True, create_graph=True
        )
        return tuple([each for each in found if each is not None])

    return gradcheck(
        gradients,
        [*tensors, *cotangents],
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
    )


class _Check:
    """One function at one point."""

    def __init__(
        self,
        func: Function,
        inputs: list[Any],
        eps: float,
        atol: float,
        rtol: float,
        nondet_tol: float,
    ) -> None:
        self.func = func
        self.inputs = inputs
        self.eps = eps
        self.atol = atol
        self.rtol = rtol
        self.nondet_tol = nondet_tol
        self.sources = [i for i, each in enumerate(inputs) if _requires_grad(each)]
        if not self.sources:
            raise ArgumentError(
                "gradcheck", "inputs", expected="a tensor that requires grad", got="none"
            )
        for i in self.sources:
            if inputs[i].dtype.itemsize < (16 if inputs[i].dtype.is_complex else 8):
                warnings.warn(
                    f"gradcheck: input {i} is {inputs[i].dtype}: differences of so few digits "
                    "will hardly agree; use float64 or complex128",
                    stacklevel=4,
                )
        self.outputs = _outputs(func, inputs)
        self.zeros = [each.detach() * 0 for each in self.outputs]
        self.stream = Generator().manual_seed(0)

    # The two ways to compare ------------------------------------------------------------------

    def compare(self, way: Callable[[int, int], tuple[Tensor, Tensor, Tensor]]) -> None:
        """Hold numerical against analytical values, for each output and each input."""
        for output in range(len(self.outputs)):
            for source in self.sources:
                numerical, analytical, again = way(output, source)
                if not allclose(numerical, analytical, self.rtol, self.atol):
                    raise GradcheckError(
                        f"gradcheck: Jacobian mismatch for output {output} with respect to input "
                        f"{source},\nnumerical: {numerical}\nanalytical: {analytical}\n"
                    )
                if not allclose(analytical, again, 0.0, self.nondet_tol):
                    raise GradcheckError(
                        f"gradcheck: the derivative is not deterministic for output {output} with "
                        f"respect to input {source}: two runs differ by more than "
                        f"{self.nondet_tol},\n"
                        f"first: {analytical}\nsecond: {again}\n"
                    )

    def whole(self, output: int, source: int) -> tuple[Tensor, Tensor, Tensor]:
        """The Jacobian by differences, by backward, and by backward once more."""
        x, y = self.inputs[source], self.outputs[output]
        rows = [self._difference(output, source, step) for step in _units(x)]
        columns = [self._backward(output, source, cotangent) for cotangent in _units(y)]
        again = [self._backward(output, source, cotangent) for cotangent in _units(y)]
        shape = (_real_numel(x), _real_numel(y))
        numerical = stack(rows) if rows else creation.zeros(shape, dtype=y.dtype.to_real())
        if not columns:
            empty = creation.zeros(shape, dtype=x.dtype.to_real())
            return numerical, empty, empty
        return numerical, stack(columns, 1), stack(again, 1)

    def projected(self, output: int, source: int) -> tuple[Tensor, Tensor, Tensor]:
        """The three Jacobians as u J v, for random directions u and v."""
        u, v = self._direction(self.inputs[source]), self._direction(self.outputs[output])
        flat_u, flat_v = _as_real(u), _as_real(v)
        numerical = (self._difference(output, source, u) * flat_v).sum()
        analytical = (self._backward(output, source, v) * flat_u).sum()
        again = (self._backward(output, source, v) * flat_u).sum()
        return numerical, analytical, again

    def whole_forwards(self, output: int, source: int) -> tuple[Tensor, Tensor, Tensor]:
        """The Jacobian by differences, by forward mode, and by it once more."""
        x, y = self.inputs[source], self.outputs[output]
        if not x.numel():
            empty = creation.zeros((0, _real_numel(y)), dtype=y.dtype.to_real())
            return empty, empty, empty
        steps = _units(x)
        numerical = stack([self._difference(output, source, step) for step in steps])
        once, again = [
            stack([self._forward(output, source, step) for step in steps]) for _ in range(2)
        ]
        return numerical, once, again

    def projected_forwards(self, output: int, source: int) -> tuple[Tensor, Tensor, Tensor]:
        """The three Jacobians as u J v, for random directions u and v."""
        u, v = self._direction(self.inputs[source]), self._direction(self.outputs[output])
        flat = _as_real(v)
        numerical = (self._difference(output, source, u) * flat).sum()
        once, again = [(self._forward(output, source, u) * flat).sum() for _ in range(2)]
        return numerical, once, again

    def _direction(self, like: Tensor) -> Tensor:
        options: dict[str, Any] = {
            "dtype": like.dtype.to_real(),
            "device": like.device,
            "generator": self.stream,
        }
        drawn = randn(like.shape, **options)
        return drawn + randn(like.shape, **options) * 1j if like.dtype.is_complex else drawn

    def _difference(self, output: int, source: int, step: Tensor) -> Tensor:
        """How fast an output changes, as a vector of reals, when an input moves along `step`."""
        ahead = self._moved(output, source, step * self.eps)
        behind = self._moved(output, source, step * -self.eps)
        return (_as_real(ahead) - _as_real(behind)) / (2 * self.eps)

    def _moved(self, output: int, source: int, step: Tensor) -> Tensor:
        arguments = [_copy(each) for each in self.inputs]
        moved = self.inputs[source].detach() + step
        arguments[source] = moved.requires_grad_()
        return _outputs(self.func, arguments)[output].detach()

    def _forward(self, output: int, source: int, direction: Tensor) -> Tensor:
        """The tangent of an output, as a vector of reals, when an input moves."""
        with DualLevel(allocates=True) as frame:
            arguments = [_copy(each) for each in self.inputs]
            moving = dual(self.inputs[source].detach(), direction, frame)
            arguments[source] = moving.requires_grad_()
            moved = tangent_in(_outputs(self.func, arguments)[output], frame)
        return _as_real(self.zeros[output] if moved is None else moved.detach())

    def _backward(self, output: int, source: int, cotangent: Tensor) -> Tensor:
        """The cotangent of an input, as a vector of reals."""
        cotangents = [cotangent if i == output else zero for i, zero in enumerate(self.zeros)]
        found = self._reverse(self._all(), cotangents)[self.sources.index(source)]
        return _as_real(self.inputs[source].detach() * 0 if found is None else found.detach())

    def _reverse(self, outputs: list[int], cotangents: list[Tensor]) -> list[Any]:
        chosen = [
            (self.outputs[i], cotangent)
            for i, cotangent in zip(outputs, cotangents, strict=True)
            if self.outputs[i].requires_grad
        ]
        if not chosen:
            return [None] * len(self.sources)
        return reverse.grad(
            [output for output, _ in chosen],
            [self.inputs[i] for i in self.sources],
            [cotangent for _, cotangent in chosen],
            retain_graph=True,
            create_graph=False,
        )

    # What backward must bear ------------------------------------------------------------------

    def reverse_zeros(self) -> None:
        """Cotangents of zeros must come back as zeros."""
        for source, g in zip(self.sources, self._reverse(self._all(), self.zeros), strict=True):
            if g is not None and g.numel() and absolute(g).amax().item() != 0:
                raise GradcheckError(
                    f"gradcheck: backward does not multiply by the cotangent: zeros give {g} "
                    f"for input {source}"
                )

    def reverse_unused(self) -> None:
        """Backward must run when only one of several outputs was used."""
        for i, zero in enumerate(self.zeros):
            try:
                self._reverse([i], [zero])
            except Exception as cause:
                raise GradcheckError(
                    f"gradcheck: backward fails when output {i} alone has a cotangent: "
                    f"{type(cause).__name__}: {cause}; test each one for None, or call "
                    "ctx.set_materialize_grads(True)"
                ) from cause

    def reverse_dtypes(self) -> None:
        """Gradients must have the dtype of their inputs."""
        ones = [zero + 1 for zero in self.zeros]
        for source, g in zip(self.sources, self._reverse(self._all(), ones), strict=True):
            if g is not None and g.dtype is not self.inputs[source].dtype:
                raise GradcheckError(
                    f"gradcheck: expected a gradient of dtype {self.inputs[source].dtype} for "
                    f"input {source}, got {g.dtype}"
                )

    def _all(self) -> list[int]:
        return list(range(len(self.outputs)))


def _outputs(func: Function, arguments: Sequence[Any]) -> list[Any]:
    """The differentiable outputs."""
    with enable_grad():
        returned = func(*arguments)
    several = returned if isinstance(returned, (tuple, list)) else (returned,)
    return [
        each
        for each in several
        if isinstance(each, Tensor) and each.dtype.kind in ("float", "complex")
    ]


def _followed(func: Function, arguments: Sequence[Any]) -> list[Any]:
    """The outputs that depend on an input which requires grad."""
    return [each for each in _outputs(func, arguments) if each.requires_grad]


def _requires_grad(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _copy(value: Any) -> Any:
    # A fresh leaf: the function may write into its arguments, or differentiate by them.
    if not isinstance(value, Tensor):
        return value
    copy = value.detach().clone()
    return copy.requires_grad_() if value.requires_grad else copy


def _real_numel(x: Tensor) -> int:
    return x.numel() * (2 if x.dtype.is_complex else 1)


def _as_real(x: Tensor) -> Tensor:
    """The elements along one axis; of complex ones the real parts, then the imaginary parts."""
    flat = x.detach().reshape(-1) if x.numel() else x.detach().reshape(0)
    return cat([flat.real, flat.imag]) if x.dtype.is_complex else flat


def _units(like: Tensor) -> list[Tensor]:
    """The directions along which each real number of a tensor grows."""
    unity = creation.eye(like.numel(), dtype=like.dtype, device=like.device)
    units = [row.reshape(like.shape) for row in unity]
    return [*units, *[each * 1j for each in units]] if like.dtype.is_complex else units
