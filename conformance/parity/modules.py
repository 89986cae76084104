"""Modules: built on both sides with the same arguments and given PyTorch's state dict. Compared in
training and in evaluation: outputs, buffers, gradients of inputs and parameters, refusals.

Most calls come from PyTorch's own table; `_made` holds the modules whose arguments are modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, final

import torch

import plugrad

from .agreement import Disagreement, compare, leaves
from .calls import Raised, attempt, compare_errors, compare_gradients
from .samples import seed, spread
from .sides import MISSING, Carrier, find
from .tables import MODULES, UNBUILT

MOST = 24
MOST_BAD = 8

Maker = Callable[[Any], Any]


@final
@dataclass(frozen=True)
class ModuleCall:
    """One way to build a module, and one input for it. `make` builds it from either side's root."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[Any, ...] = ()
    named_inputs: dict[str, Any] = field(default_factory=dict)
    make: Maker | None = None
    #: Building it is what PyTorch refuses.
    unbuilt: bool = False


def calls_of(info: Any) -> Iterator[tuple[ModuleCall, bool]]:
    """The calls of one of PyTorch's modules, each with whether it is trained."""
    for training in (True, False):
        seed()
        inputs = list(
            info.module_inputs_func(
                info, device="cpu", dtype=torch.float64, requires_grad=True, training=training
            )
        )
        mode = "train" if training else "eval"
        for i in spread(len(inputs), MOST):
            yield _call(f"input{i}-{mode}", inputs[i]), training
    if info.module_error_inputs_func is None:
        return
    seed()
    errors = list(
        info.module_error_inputs_func(
            info, device="cpu", dtype=torch.float64, requires_grad=False, training=True
        )
    )
    for i in spread(len(errors), MOST_BAD):
        unbuilt = errors[i].error_on is UNBUILT
        yield _call(f"error{i}", errors[i].module_error_input, unbuilt), True


def _call(name: str, sample: Any, unbuilt: bool = False) -> ModuleCall:
    built = sample.constructor_input
    given = sample.forward_input
    return ModuleCall(
        name,
        tuple(built.args),
        dict(built.kwargs),
        tuple(given.args) if given else (),
        dict(given.kwargs) if given else {},
        unbuilt=unbuilt,
    )


def compare_module(name: str, call: ModuleCall, training: bool) -> list[Disagreement]:
    """Where a module of plugrad's differs from PyTorch's."""
    return list(_compare(name, call, training))


def _compare(name: str, call: ModuleCall, training: bool) -> Iterator[Disagreement]:
    build = Carrier()
    their_args, our_args = build(call.args)
    their_kwargs, our_kwargs = build(call.kwargs)
    seed()
    if call.make is None:
        theirs = attempt(find(torch, name), *their_args, **their_kwargs)
        ours = attempt(find(plugrad, name), *our_args, **our_kwargs)
    else:
        theirs, ours = attempt(call.make, torch), attempt(call.make, plugrad)
    if call.unbuilt or isinstance(theirs, Raised) or isinstance(ours, Raised):
        yield from compare_errors(theirs, ours)
        return
    theirs, ours = theirs.double().train(training), ours.double().train(training)
    carry = Carrier()
    their_inputs, our_inputs = carry(call.inputs)
    their_named, our_named = carry(call.named_inputs)
    if _is_lazy(theirs):
        theirs(*their_inputs, **their_named)
        ours(*our_inputs, **our_named)
    found = list(_copy_state(theirs, ours))
    if found:
        yield from found
        return
    random = training and _answers_differently(theirs, their_inputs, their_named)
    wanted = attempt(theirs, *their_inputs, **their_named)
    got = attempt(ours, *our_inputs, **our_named)
    if isinstance(wanted, Raised) or isinstance(got, Raised):
        yield from compare_errors(wanted, got)
        return
    found = list(compare(wanted, got, values=not random, slack=10))
    yield from found
    if found:
        return
    state = {key: value.detach() for key, value in ours.state_dict().items()}
    yield from compare(dict(theirs.state_dict()), state, slack=10, where="state afterwards")
    if not random:
        named = dict(ours.named_parameters())
        pairs = carry.pairs + [(p, named[key]) for key, p in theirs.named_parameters()]
        yield from compare_gradients(list(leaves(wanted)), list(leaves(got)), pairs, slack=10)


def _is_lazy(module: Any) -> bool:
    return any(
        isinstance(each, torch.nn.parameter.UninitializedTensorMixin)
        for each in [*module.parameters(), *module.buffers()]
    )


def _copy_state(theirs: Any, ours: Any) -> Iterator[Disagreement]:
    """Give plugrad's module PyTorch's state; or say that the two do not hold the same."""
    state = theirs.state_dict()
    wanted, got = list(state), list(ours.state_dict())
    if wanted != got:
        yield Disagreement("kind", f"state_dict: expected the keys {wanted}, got {got}")
        return
    for key, value in ours.state_dict().items():
        if tuple(value.shape) != tuple(state[key].shape):
            sizes = f"expected {tuple(state[key].shape)}, got {tuple(value.shape)}"
            yield Disagreement("shape", f"state_dict[{key!r}]: {sizes}")
            return
    failed = attempt(ours.load_state_dict, Carrier()(dict(state))[1])
    if isinstance(failed, Raised):
        yield Disagreement("refused", f"load_state_dict: {failed}")


def _answers_differently(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether PyTorch's module draws random numbers."""
    first = attempt(lambda: deepcopy(module)(*args, **kwargs))
    second = attempt(lambda: deepcopy(module)(*args, **kwargs))
    if isinstance(first, Raised) or isinstance(second, Raised):
        return False
    pairs = zip(leaves(first), leaves(second), strict=True)
    return not all([torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs])


# modules made of modules --------------------------------------------------------------------------


def _encoder(**options: Any) -> Maker:
    def make(root: Any) -> Any:
        layer = root.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        return root.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False, **options)

    return make


def _decoder(root: Any) -> Any:
    layer = root.nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return root.nn.TransformerDecoder(layer, 2, norm=root.nn.LayerNorm(8))


def _transformer(**options: Any) -> Maker:
    sizes = {"num_encoder_layers": 1, "num_decoder_layers": 1, "dim_feedforward": 16}
    return lambda root: root.nn.Transformer(8, 2, dropout=0.0, **sizes, **options)


def _reparametrized(name: str) -> Maker:
    return lambda root: find(root, name)(root.nn.Linear(4, 3))


def _rand(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def _made() -> dict[str, list[ModuleCall]]:
    seed()
    padding = torch.tensor([[False, False, True], [False, True, True]])
    causal = torch.triu(torch.full((3, 3), float("-inf"), dtype=torch.float64), 1)
    x, y = _rand(2, 3, 8), _rand(2, 3, 8)
    return {
        "nn.TransformerEncoder": [
            ModuleCall("plain", inputs=(x,), make=_encoder()),
            ModuleCall("causal", inputs=(x,), named_inputs={"mask": causal}, make=_encoder()),
            ModuleCall(
                "padded",
                inputs=(x,),
                named_inputs={"src_key_padding_mask": padding},
                make=_encoder(),
            ),
        ],
        "nn.TransformerDecoder": [
            ModuleCall("plain", inputs=(x, y), make=_decoder),
            ModuleCall(
                "masked",
                inputs=(x, y),
                named_inputs={"tgt_mask": causal, "memory_key_padding_mask": padding},
                make=_decoder,
            ),
        ],
        "nn.Transformer": [
            ModuleCall("batch-first", inputs=(x, y), make=_transformer(batch_first=True)),
            ModuleCall("norm-first", inputs=(x, y), make=_transformer(norm_first=True)),
            ModuleCall("gelu", inputs=(x, y), make=_transformer(activation="gelu", bias=False)),
            ModuleCall(
                "masked",
                inputs=(x, y),
                named_inputs={"tgt_mask": causal, "src_key_padding_mask": padding},
                make=_transformer(batch_first=True),
            ),
        ],
        "nn.Sequential": [
            ModuleCall(
                "three",
                inputs=(x,),
                make=lambda root: root.nn.Sequential(
                    root.nn.Linear(8, 4), root.nn.Tanh(), root.nn.Linear(4, 2)
                ),
            ),
        ],
        **{
            name: [ModuleCall("linear", inputs=(_rand(2, 4),), make=_reparametrized(name))]
            for name in (
                "nn.utils.parametrizations.weight_norm",
                "nn.utils.parametrizations.spectral_norm",
                "nn.utils.parametrizations.orthogonal",
                "nn.utils.weight_norm",
                "nn.utils.spectral_norm",
            )
        },
        "nn.TripletMarginWithDistanceLoss": [
            ModuleCall(
                "pairwise",
                inputs=(_rand(3, 4), _rand(3, 4), _rand(3, 4)),
                make=lambda root: root.nn.TripletMarginWithDistanceLoss(
                    distance_function=root.nn.PairwiseDistance(), margin=0.5, swap=True
                ),
            )
        ],
        "nn.Unflatten": [
            ModuleCall(
                "sizes", inputs=(_rand(2, 6),), make=lambda root: root.nn.Unflatten(1, (2, 3))
            )
        ],
        "nn.Dropout": [
            ModuleCall("half", inputs=(x,), make=lambda root: root.nn.Dropout()),
            ModuleCall("none", inputs=(x,), make=lambda root: root.nn.Dropout(0.0)),
            ModuleCall("all", inputs=(x,), make=lambda root: root.nn.Dropout(1.0)),
            ModuleCall("bad", make=lambda root: root.nn.Dropout(1.5), unbuilt=True),
        ],
    }


@final
@dataclass(frozen=True)
class ModuleRow:
    """A module's name and its calls."""

    name: str
    calls: Callable[[], Iterator[tuple[ModuleCall, bool]]]


def rows() -> list[ModuleRow]:
    """Every module of PyTorch's table under its public name, then those of `_made`."""
    found: list[ModuleRow] = []
    for info in MODULES:
        name = f"nn.{info.module_cls.__name__}"
        if find(torch, name) is not MISSING:
            found.append(ModuleRow(name, partial(calls_of, info)))
    for name, calls in _made().items():
        both = [(call, training) for call in calls for training in (True, False)]
        found.append(ModuleRow(name, partial(iter, both)))
    return found
