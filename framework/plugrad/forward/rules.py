"""Tangents: what an operator's result gains when its operands gain a little.

What an operator declares itself (`jvp`, `linear`) goes first. Else its family knows: an elementwise
derivative is the same number forwards as backwards; of a reduction the cotangent of 1 holds each
element's weight. All others transpose their `vjp`: that is linear in the cotangent, and its own
derivative by the cotangent, applied to the tangent, is the derivative forwards. A tangent that is
zero throughout is `None`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plugrad import reverse
from plugrad.dispatch import dispatch, dispatch_view, flatten
from plugrad.errors import UnsupportedError
from plugrad.families import as_operand
from plugrad.formulas import Push
from plugrad.levels import followed_outside
from plugrad.op import Operator
from plugrad.ops.creation import clone, full
from plugrad.ops.elementwise import add
from plugrad.ops.reduction import sum as sum_over
from plugrad.ops.views import expand
from plugrad.shapes import contiguous_strides
from plugrad.spec import Spec
from plugrad.tape import enable_grad, mode, node_of

Values = tuple[Any, ...]


def push(operator: Operator, primals: Values, tangents: Values, params: Values, out: Any) -> Any:
    """The tangent of a call's result `out`, or a tuple of them for several results."""
    moving = [i for i, each in enumerate(tangents) if is_moving(each)]
    if operator.geometry is not None:
        return look(operator, primals[0].layout, tangents[0], params)
    moving = [i for i in moving if i in operator.differentiable or i in operator.pushes]
    if not moving:
        return None
    if all([i in operator.pushes for i in moving]):
        return _declared(operator, moving, primals, tangents, params, out)
    # Where numbers are complex, only a holomorphic derivative is one number, not a matrix of four.
    simple = operator.holomorphic or not any(
        [each.spec.dtype.is_complex for each in flatten(primals)]
    )
    single = all([len(pull.positions) == 1 for pull in operator.pulls])
    if operator.family == "elementwise" and simple and single:
        return _elementwise(operator, moving, primals, tangents, params, out)
    if operator.family == "reduction" and simple and single:
        return _reduction(operator, primals, tangents, params, out)
    return _transposed(operator, moving, primals, tangents, params, out)


def is_moving(tangent: Any) -> bool:
    """Whether a tangent, or one of several, is not zero throughout."""
    if type(tangent) is tuple:
        return any([is_moving(each) for each in tangent])
    return tangent is not None


def look(operator: Operator, layout: Any, tangent: Any, params: Values) -> Any:
    """A view of a tangent, as of the tensor that has this layout."""
    if tangent is None:
        return None
    contiguous = contiguous_strides(tangent.spec.shape), 0
    if operator.name == "as_strided" and layout != contiguous:
        raise UnsupportedError(
            operator.name,
            "input",
            expected="in forward mode a tensor that fills its storage in order",
            got=f"strides {layout[0]} from {layout[1]}",
            hint="make it contiguous() first",
        )
    if tangent.layout not in (layout, contiguous):
        tangent = clone(tangent)
    return dispatch_view(operator, tangent, params)


def spread(tangent: Any, spec: Spec) -> Any:
    """A tangent brought to the shape and the dtype of what it is a tangent of."""
    own = tangent.spec
    if own.dtype is not spec.dtype:
        if own.dtype.is_complex and not spec.dtype.is_complex:
            tangent = tangent.real
        tangent = as_operand(tangent, spec.dtype, None)
    return tangent if own.shape == spec.shape else expand(tangent, spec.shape)


def zeros(spec: Spec) -> Any:
    """Zeros of this spec."""
    return full(spec.shape, 0, spec.dtype, spec.device)


def _facts(operator: Operator, primals: Values, params: Values, out: Any) -> dict[str, Any]:
    """By name, what formulas may name."""
    facts = dict(zip(operator.tensors, primals, strict=True))
    facts |= {f"{name}_spec": _spec(facts[name]) for name in operator.tensors}
    facts |= dict(zip(operator.parameters, params, strict=True))
    facts.setdefault("out", out)
    if type(out) is tuple:
        facts |= {f"out_{i}": each for i, each in enumerate(out)}
    return facts


def _spec(value: Any) -> Any:
    if type(value) is tuple:
        return tuple([_spec(each) for each in value])
    return None if value is None else value.spec


def _total(parts: Sequence[Any], out: Any) -> Any:
    """The sum of the parts of a tangent, each brought to the result's shape."""
    parts = [part for part in parts if part is not None]
    if not parts:
        return None
    if type(out) is tuple:
        columns = zip(*parts, strict=True)
        return tuple([_total(column, each) for column, each in zip(columns, out, strict=True)])
    total, *others = [spread(part, out.spec) for part in parts]
    for part in others:
        total = add(total, part)
    return total


def _declared(
    operator: Operator,
    moving: Sequence[int],
    primals: Values,
    tangents: Values,
    params: Values,
    out: Any,
) -> Any:
    facts = _facts(operator, primals, params, out)
    parts: list[Any] = []
    done: set[Any] = set()
    for position in moving:
        rule = operator.pushes[position]
        if isinstance(rule, Push):
            facts["t"] = tangents[position]
            parts.append(rule.formula(*[facts[name] for name in rule.names]))
        elif rule not in done:
            done.add(rule)
            operands = [
                _filled(tangents[i], each) if i in rule else each for i, each in enumerate(primals)
            ]
            parts.append(dispatch(operator, tuple(operands), params))
    return _total(parts, out)


def _filled(tangent: Any, primal: Any) -> Any:
    """The tangent, or zeros where there is none."""
    if type(primal) is tuple:
        given = (None,) * len(primal) if tangent is None else tangent
        return tuple([_filled(t, each) for t, each in zip(given, primal, strict=True)])
    return zeros(primal.spec) if tangent is None and primal is not None else tangent


def _elementwise(
    operator: Operator,
    moving: Sequence[int],
    primals: Values,
    tangents: Values,
    params: Values,
    out: Any,
) -> Any:
    facts = _facts(operator, primals, params, out)
    parts: list[Any] = []
    for pull in operator.pulls:
        if pull.positions[0] in moving:
            facts["g"] = tangents[pull.positions[0]]
            parts.append(pull.formula(*[facts[name] for name in pull.names]))
    return _total(parts, out)


def _reduction(
    operator: Operator, primals: Values, tangents: Values, params: Values, out: Any
) -> Any:
    spec = out.spec
    facts = _facts(operator, primals, params, out)
    facts["g"] = full(spec.shape, 1, spec.dtype, spec.device)
    (pull,) = operator.pulls
    weights = pull.formula(*[facts[name] for name in pull.names])
    return dispatch(sum_over.operator, (weights * tangents[0],), params)


def _transposed(
    operator: Operator,
    moving: Sequence[int],
    primals: Values,
    tangents: Values,
    params: Values,
    out: Any,
) -> Any:
    facts = _facts(operator, primals, params, out)
    facts["needs"] = tuple([i in moving for i in range(len(primals))])
    pairs: list[tuple[Any, Any]] = []
    with enable_grad():
        dummies = probes(out)
        g: Any = dummies if type(out) is tuple else dummies[0]
        # As the engine does it where the result is complex.
        conjugates = type(out) is not tuple and operator.holomorphic and g.spec.dtype.is_complex
        facts["g"] = g.conj() if conjugates else g
        for pull in operator.pulls:
            if any([position in moving for position in pull.positions]):
                found = pull.formula(*[facts[name] for name in pull.names])
                cotangents = (found,) if len(pull.positions) == 1 else found
                for position, each in zip(pull.positions, cotangents, strict=True):
                    if position in moving and each is not None:
                        pairs += zip(_each(each), _each(tangents[position]), strict=True)
        pairs = [(each, t) for each, t in pairs if each is not None and t is not None]
        pulled = [each.conj() if conjugates else each for each, _ in pairs]
    causes = (*flatten(primals), *flatten(tangents))
    found = transpose(pulled, dummies, [t for _, t in pairs], causes)
    return tuple(found) if type(out) is tuple else found[0]


def _each(value: Any) -> Values:
    return value if type(value) is tuple else (value,)


def probes(out: Any) -> list[Any]:
    """For each result a leaf that stands for its cotangent; `None` for positions and the like."""
    return [
        each.new_zeros(each.spec.shape).requires_grad_()
        if each.spec.dtype.kind in ("float", "complex")
        else None
        for each in (out if type(out) is tuple else (out,))
    ]


def transpose(
    pulled: Sequence[Any],
    dummies: Sequence[Any],
    given: Sequence[Any],
    causes: Sequence[Any],
    *,
    again: bool = False,
) -> list[Any]:
    """The derivative of `pulled` by each dummy, applied to `given`: one for each tensor pulled.

    It is recorded where some of the causes are, and can be had `again`.
    """
    pairs = [(each, t) for each, t in zip(pulled, given, strict=True) if node_of(each) is not None]
    found: list[Any] = [None] * len(dummies)
    if not pairs:
        return found
    # What was broadcast backwards would be summed: forwards the tangent is repeated.
    tangents = [spread(t, each.spec) for each, t in pairs]
    live = [i for i, each in enumerate(dummies) if each is not None]
    recorded = mode.grad and any(
        [node_of(each) is not None or followed_outside(each) for each in causes]
    )
    slopes = reverse.grad(
        [each for each, _ in pairs],
        [dummies[i] for i in live],
        tangents,
        retain_graph=recorded or again,
        create_graph=recorded,
    )
    for i, slope in zip(live, slopes, strict=True):
        found[i] = slope
    return found
