"""One operator call: find the plan, run the kernel or the body, wrap the result, leave a node on
the tape.

Everything that follows from the specs alone (devices agree, dtypes are promoted, the result's spec,
which kernel answers) is decided once and kept as a `Plan`; a call whose specs were seen before
costs one dictionary lookup. What a transform wraps carries a spec of its own that no plan knows, so
it ends up on the slow path, where it interprets its operators.
"""

from __future__ import annotations

from typing import Any, cast, final

from plugrad.backends import Backend, backend, declare_operator, watchers
from plugrad.contracts import Kernel
from plugrad.devices import META, Device
from plugrad.errors import DeviceError, InPlaceError, UnsupportedError
from plugrad.formulas import Backward
from plugrad.op import Operator, OperatorNode, version_of_saved
from plugrad.spec import Spec, spec_of
from plugrad.tape import Leaf, Node, enable_grad, mode, next_sequence, no_grad, node_of
from plugrad.value import NO_DATA, Layout, Value, wrap

_PLANS_PER_OPERATOR = 1 << 12
_DIFFERENTIABLE = ("float", "complex")

operators: dict[str, Operator] = {}

_new = object.__new__


@final
class Plan:
    """What was decided for calls on tensors with these specs: who computes, and the result's spec.

    `kernel` is `None` where the body answers, on tensors; `spec` then too, if no rule tells it.
    """

    __slots__ = ("direct", "dissolves", "kernel", "place", "rules", "spec", "specs")

    def __init__(
        self,
        operator: Operator,
        kernel: Kernel | None,
        spec: Any,
        specs: tuple[Any, ...],
        place: Layout | None = None,
    ) -> None:
        self.kernel = kernel
        self.spec = spec
        self.specs = specs
        # Of a view: its strides and offset.
        self.place = place
        # By the bits of the inputs that want a cotangent: what the call leaves on the tape.
        self.rules: dict[int, Backward] = {}
        # A body without a derivative of its own must be run where gradients flow.
        self.dissolves = operator.body is not None and not operator.pulls
        self.direct = not (kernel is None or spec is None or operator.writes or self.dissolves)


@final
class Origin:
    """Of which tensor a view is a view, and through which operators.

    `base_node` is the base's node when the view's own was made: while the two agree, the view's
    node is up to date.
    """

    __slots__ = ("base", "base_node", "steps")

    def __init__(self, base: Value, steps: tuple[tuple[Operator, tuple[Any, ...]], ...]) -> None:
        self.base = base
        self.steps = steps
        self.base_node: Node | None = base.node

    def rebuild(self) -> Node | None:
        """The view's node, made anew from the base's."""
        value: Any = self.base
        with enable_grad():
            for operator, params in self.steps:
                value = dispatch_view(operator, value, params)
        return value.node


def declare(operator: Operator) -> None:
    """Open an operator to calls, and to kernels under its name."""
    if operator.geometry is None:
        # What writes in place needs the tensors themselves: a kernel's array may be a copy of them.
        as_kernel = operator.body is not None and not operator.writes
        body = _kernel_from_body(operator) if as_kernel else None
        declare_operator(operator.function, body)
    operators[operator.name] = operator


def forget_plans() -> None:
    """The plugins have changed: decide anew."""
    for operator in operators.values():
        operator.plans.clear()


watchers.append(forget_plans)


def dispatch_view(operator: Operator, base: Any, params: tuple[Any, ...]) -> Any:
    """Call a view operator. Its plans are keyed by the layout, too; a fresh tensor's is `None`."""
    try:
        plan = operator.plans.get((base.spec, base.place, *params))
    except TypeError:
        plan = None
    if plan is None:
        if base.level:
            return base.interpret(operator, (base,), params)
        assert operator.geometry is not None
        spec = base.spec
        shape, strides, offset = operator.geometry(spec.shape, *base.layout, *params)
        dtype = spec.dtype if operator.view_dtype is None else operator.view_dtype(spec.dtype)
        its = spec_of(shape, dtype, spec.device)
        plan = Plan(operator, None, its, (spec,), (strides, offset))
        if len(operator.plans) >= _PLANS_PER_OPERATOR:
            operator.plans.clear()
        operator.plans[(spec, base.place, *params)] = plan
    return look(operator, base, params, plan)


def dispatch(operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """Call an operator on tensors (or `None`, or tuples of tensors, as its contract says) and
    parameters.
    """
    if operator.geometry is not None:
        return dispatch_view(operator, arguments[0], params)
    try:
        if operator.mixed:
            plan = operator.plans.get(_key(operator, arguments, params))
        else:
            keyed = operator.keyed
            facts = params if keyed is None else [params[i] for i in keyed]
            plan = operator.plans.get((*[argument.spec for argument in arguments], *facts))
    except AttributeError:  # not a tensor each: `None`, several tensors, or a number
        plan = _known_plan(operator, arguments, params)
        operator.mixed = plan is not None
    except TypeError:  # a parameter without a hash
        plan = None
    if plan is None:
        lifted = max(flatten(arguments), key=_level, default=None)
        if lifted is not None and _level(lifted):
            return lifted.interpret(operator, arguments, params)
        if operator.prepare is not None:
            arguments, params = operator.prepare(arguments, params)
        plan = _plan(operator, arguments, params)
    return execute(operator, arguments, params, plan)


def execute(
    operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...], plan: Plan
) -> Any:
    """Do what was planned."""
    kernel = plan.kernel
    if plan.direct and kernel is not None:
        native = kernel(*[_native(argument) for argument in arguments], *params)
        if native is not None:
            spec = plan.spec
            out = wrap_all(native, spec) if spec.__class__ is tuple else wrap(native, spec)
            if operator.differentiable and mode.grad:
                record(operator, arguments, params, out, plan)
            return out
    tracked = mode.grad and any([_node(argument) is not None for argument in arguments])
    if kernel is None or plan.direct or (tracked and plan.dissolves):
        return _run_body(operator, arguments, params, plan, tracked)
    if operator.writes:
        return _write(operator, kernel, arguments, params, plan, tracked)
    native = kernel(*[_native(argument) for argument in arguments], *params)
    if native is None:
        return _run_body(operator, arguments, params, plan, tracked)
    if plan.spec is not None:
        return wrap_all(native, plan.spec)
    # The shape depends on the data.
    plan = Plan(operator, kernel, _spec_of_result(arguments, native), plan.specs)
    out = wrap(native, plan.spec)
    record(operator, arguments, params, out, plan)
    return out


def wrap_all(native: Any, spec: Any) -> Any:
    """A kernel's result, or results, as tensors."""
    if spec.__class__ is tuple:
        return tuple([wrap(each, its) for each, its in zip(native, spec, strict=True)])
    return wrap(native, spec)


def record(
    operator: Operator,
    arguments: tuple[Any, ...],
    params: tuple[Any, ...],
    out: Any,
    plan: Plan,
) -> None:
    """Leave a node on the tape, if a tensor that the operator is differentiable in wants a
    cotangent, and the result can have one.
    """
    spec = plan.spec
    if not mode.grad or (spec.__class__ is Spec and spec.dtype.kind not in _DIFFERENTIABLE):
        return
    parents: list[Any] = [None] * len(arguments)
    wanted = 0
    for position in operator.differentiable:
        argument = arguments[position]
        try:
            parent = argument.node if argument.origin is None else node_of(argument)
        except AttributeError:  # `None`, or several tensors
            parent = _node(argument)
        if parent is not None:
            parents[position] = parent
            wanted |= 1 << position
    if wanted:
        attach(operator, arguments, params, tuple(parents), wanted, out, plan)


def attach(
    operator: Operator,
    arguments: tuple[Any, ...],
    params: tuple[Any, ...],
    parents: tuple[Any, ...],
    wanted: int,
    out: Any,
    plan: Plan,
) -> None:
    """Make a node of the graph the origin of a result. `wanted` has a bit for each input that wants
    a cotangent, which it sends to the parent of the same position.
    """
    try:
        rule = plan.rules[wanted]
    except KeyError:
        rule = plan.rules[wanted] = operator.backward_of(wanted, plan.spec)
    # Field by field: a constructor would cost a tenth of recording a small operator.
    node = _new(OperatorNode)
    node.parents = parents
    node.specs = plan.specs
    node.spec = plan.spec
    node.sequence = next_sequence()
    node.hooks = None
    node.rule = rule
    node.params = params
    node.versions = None
    if rule.keep is None:
        node.saved = ()
    else:
        saved = node.saved = rule.keep(arguments, out)
        for value in saved:
            # A fresh tensor, the usual case, has no storage yet that could have been written.
            if value is not None and (
                value.__class__ is tuple or (value.memory is not None and value.memory.version)
            ):
                node.versions = [version_of_saved(each) for each in saved]
                break
    if out.__class__ is tuple:
        node.own(out)
    else:
        out.node = node


def declined(operator: Operator, arguments: tuple[Any, ...]) -> UnsupportedError:
    """The error of a call that nobody took."""
    specs = ", ".join(str(_spec(argument)) for argument in arguments)
    return UnsupportedError(
        operator.name,
        "arguments",
        expected="a call that some kernel takes; every one declined, and the operator has no body",
        got=specs,
        hint=f"plugrad.explain({operator.name!r}) shows who was asked",
    )


def flatten(arguments: tuple[Any, ...]) -> list[Any]:
    """The tensors among the arguments."""
    found: list[Any] = []
    for argument in arguments:
        if argument.__class__ is tuple:
            found += flatten(argument)
        elif argument is not None:
            found.append(argument)
    return found


def infer(operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """The spec of a composite's result: its body, run without data."""
    assert operator.body is not None
    specs = [argument.spec for argument in flatten(arguments)]
    with no_grad():
        out = operator.body(*[_without_data(argument) for argument in arguments], *params)
    device = specs[0].device
    if out.__class__ is tuple:
        return tuple([spec_of(each.spec.shape, each.spec.dtype, device) for each in out])
    return spec_of(out.spec.shape, out.spec.dtype, device)


def _level(value: Any) -> int:
    return getattr(value, "level", 0)


def _spec(argument: Any) -> Any:
    if argument.__class__ is tuple:
        return tuple([_spec(each) for each in argument])
    return None if argument is None else argument.spec


def _native(argument: Any) -> Any:
    if argument is None:
        return None
    if argument.__class__ is tuple:
        return tuple([_native(each) for each in argument])
    array = argument.array
    return argument.native() if array is None else array


def _node(argument: Any) -> Any:
    if argument is None:
        return None
    if argument.__class__ is tuple:
        nodes = tuple([_node(each) for each in argument])
        return nodes if any(nodes) else None
    return argument.node if argument.origin is None else node_of(argument)


def _without_data(argument: Any) -> Any:
    if argument is None:
        return None
    if argument.__class__ is tuple:
        return tuple([_without_data(each) for each in argument])
    spec = argument.spec
    return wrap(NO_DATA, spec_of(spec.shape, spec.dtype, Device(META)))


def _key(operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    keyed = operator.keyed
    facts = params if keyed is None else [params[i] for i in keyed]
    return (*[_spec(argument) for argument in arguments], *facts)


def _known_plan(
    operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]
) -> Plan | None:
    try:
        return operator.plans.get(_key(operator, arguments, params))
    except (AttributeError, TypeError):
        return None


def _plan(operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]) -> Plan:
    key = _key(operator, arguments, params)
    try:
        plan = operator.plans.get(key)
    except TypeError:  # a parameter without a hash: decided anew each time
        return _decide(operator, arguments, params)
    if plan is None:
        if len(operator.plans) >= _PLANS_PER_OPERATOR:
            operator.plans.clear()
        plan = operator.plans[key] = _decide(operator, arguments, params)
    return plan


def _decide(operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]) -> Plan:
    device = _common_device(operator, arguments, params)
    specs = tuple([_spec(argument) for argument in arguments])
    if operator.rule is None and device.type == META:
        return Plan(operator, None, None, specs)
    kernel: Kernel | None = None
    if device.type != META:
        kernel = backend(device.type).resolve(operator.name)
        if kernel is None and operator.body is None:
            raise declined(operator, arguments)
    if operator.rule is None:
        spec = None if kernel is None else infer(operator, arguments, params)
        return Plan(operator, kernel, spec, specs)
    known = dict(zip(operator.tensors, specs, strict=True))
    known.update(zip(operator.parameters, params, strict=True))
    spec = operator.rule(*[known[name] for name in operator.rule_names])
    if device.type != META:
        for result in flatten((spec,)):
            backend(device.type).check_stores(operator.name, result.dtype)
        return Plan(operator, kernel, spec, specs)
    if spec is None:
        raise UnsupportedError(
            operator.name,
            operator.tensors[0],
            expected="a tensor with data, on which the result's shape depends",
            got="one on the meta device",
        )
    return Plan(operator, _compute_nothing(spec), spec, specs)


def _spec_of_result(arguments: tuple[Any, ...], native: Any) -> Spec:
    """The spec of a result whose shape depends on the data: its operator's rule gives `None`."""
    device = flatten(arguments)[0].spec.device
    shape, dtype = backend(device.type).service("array_spec")(native)
    return spec_of(tuple(shape), dtype, device)


def _compute_nothing(spec: Any) -> Kernel:
    result = (NO_DATA,) * len(spec) if spec.__class__ is tuple else NO_DATA
    return lambda *arguments: result


def _common_device(
    operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]
) -> Device:
    tensors = flatten(arguments)
    if not tensors:
        return params[operator.parameters.index("device")]
    device: Device = tensors[0].spec.device
    for tensor in tensors:
        if tensor.spec.device is not device:
            raise DeviceError(
                operator.name,
                "tensors",
                expected="all on one device",
                got=f"{device} and {tensor.spec.device}",
                hint=f"move one with .to({str(device)!r})",
            )
    return device


def _run_body(
    operator: Operator,
    arguments: tuple[Any, ...],
    params: tuple[Any, ...],
    plan: Plan,
    tracked: bool,
) -> Any:
    if operator.body is None:
        raise declined(operator, arguments)
    tensors = flatten(arguments)
    if tensors and tensors[0].spec.device.type != META:
        backend(tensors[0].spec.device.type).fallbacks[operator.name] += 1
    if tracked and operator.writes:
        for target in flatten(tuple([arguments[position] for position in operator.writes])):
            _refuse_leaf(operator, target)
    if not (tracked and operator.pulls):
        return operator.body(*arguments, *params)
    with no_grad():
        out = operator.body(*arguments, *params)
    if plan.spec is None:
        plan.spec = tuple([each.spec for each in out]) if out.__class__ is tuple else out.spec
    record(operator, arguments, params, out, plan)
    return out


def _kernel_from_body(operator: Operator) -> Any:
    """The body as the last kernel in pluggy's order: native arrays in, native arrays out."""

    def for_backend(owner: Backend) -> Kernel:
        def lift(argument: Any) -> Any:
            if argument.__class__ is tuple:
                return tuple([lift(each) for each in argument])
            if argument is None:
                return None
            shape, dtype = owner.service("array_spec")(argument)
            return wrap(argument, spec_of(shape, dtype, owner.device_of(argument)))

        def run(*values: Any) -> Any:
            assert operator.body is not None
            count = len(operator.tensors)
            with no_grad():
                out = operator.body(*[lift(value) for value in values[:count]], *values[count:])
            return _native(out)

        # pluggy reads the names of parameters from what a function says that it wraps.
        cast(Any, run).__wrapped__ = operator.function
        return run

    return for_backend


def look(operator: Operator, base: Any, params: tuple[Any, ...], plan: Plan) -> Any:
    """A view: another layout of the same storage. No kernel is called."""
    storage = base.memory if base.place is not None else base.settle()
    assert plan.place is not None
    out = wrap(None, plan.spec, storage, plan.place)
    if mode.grad:
        record(operator, (base,), params, out, plan)
    step = (operator, params)
    origin = base.origin
    if origin is None:
        out.origin = Origin(base, (step,))
    else:
        out.origin = Origin(origin.base, (*origin.steps, step))
    return out


def _write(
    operator: Operator,
    kernel: Kernel,
    arguments: tuple[Any, ...],
    params: tuple[Any, ...],
    plan: Plan,
    tracked: bool,
) -> Any:
    """Run a kernel that changes tensors in place; gives them back."""
    targets = tuple([arguments[position] for position in operator.writes])
    written = flatten(targets)
    for target in written:
        if tracked:
            _refuse_leaf(operator, target)
        target.settle()
        _refuse_repeated(operator, target)
    if kernel(*[_native(argument) for argument in arguments], *params) is None:
        return _run_body(operator, arguments, params, plan, tracked)
    for target in written:
        target.memory.version += 1
    if tracked:
        assert operator.rebase is not None, f"{operator.name} writes with gradient but has no body"
        operator.rebase(*arguments, *params)
    return targets[0] if len(targets) == 1 else targets


def _refuse_leaf(operator: Operator, target: Value) -> None:
    node: Any = target.node if target.origin is None else target.origin.base.node
    if type(node) is Leaf:
        kind = "a leaf" if target.origin is None else "a view of a leaf"
        raise InPlaceError(
            f"{operator.name}: {kind} that requires grad cannot be written in place; "
            "do it under plugrad.no_grad(), or write to a clone()"
        )


def _refuse_repeated(operator: Operator, target: Value) -> None:
    strides = target.layout[0]
    if 0 in strides:
        shape = target.spec.shape
        if any([stride == 0 and size > 1 for stride, size in zip(strides, shape, strict=True)]):
            raise InPlaceError(
                f"{operator.name}: an expanded tensor, several elements of which share one place "
                "in memory, cannot be written in place; write to a clone()"
            )
