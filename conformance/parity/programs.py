"""What PyTorch's own tables do not hold, as one-line programs: each is run on both sides, with `t`
for the one's or the other's root, and what it gives is compared.

Operands are called by the names in OPERANDS.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

import torch

from .calls import Call
from .sides import words


def _operands() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    draw = {
        "x": torch.randn(3, 4, dtype=torch.float64),
        "y": torch.randn(3, 4, dtype=torch.float64),
        "v": torch.randn(5, dtype=torch.float64),
        "A": torch.randn(4, 4, dtype=torch.float64),
        "b": torch.randn(2, 3, 8, dtype=torch.float64),
        "image": torch.randn(2, 4, 6, 6, dtype=torch.float64),
        "volume": torch.randn(1, 2, 4, 4, 4, dtype=torch.float64),
    }
    leaves = {name: tensor.requires_grad_() for name, tensor in draw.items()}
    return {
        **leaves,
        "i": torch.tensor([2, 0, 1]),
        "m": torch.tensor([True, False, True]),
        "z": torch.randn(3, dtype=torch.complex128),
        "f": torch.randn(3, 4),
    }


OPERANDS: Final = _operands()

_POOLS = {
    f"nn.functional.{kind}{n}d{suffix}": [f"t.nn.functional.{kind}{n}d{suffix}({operand}, {size})"]
    for n, operand in ((1, "b"), (2, "image"), (3, "volume"))
    for kind, size, suffix in (
        ("lp_pool", "2.0, 2", ""),
        ("max_pool", "2", "_with_indices"),
        ("adaptive_max_pool", "2", "_with_indices"),
    )
}

#: Every dtype and constant under the root.
_VALUES = {
    name: [f"t.zeros(2, dtype=t.{name})", f"t.{name}.is_floating_point, t.{name}.itemsize"]
    for name in words(
        """
    bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128
    short int long half float double cfloat cdouble
    """
    )
}

_OLD_CONSTRUCTORS = {
    f"{kind}Tensor": [f"t.{kind}Tensor([1, 0, 2])", f"t.{kind}Tensor(2, 3).shape"]
    for kind in words(
        """
    Bool Byte Char Short Int Long Half Float Double
    """
    )
}

TABLE: Final[dict[str, list[str]]] = {
    **_POOLS,
    **_VALUES,
    **_OLD_CONSTRUCTORS,
    "e": ["t.e"],
    "pi": ["t.pi"],
    "inf": ["t.inf"],
    "nan": ["t.nan"],
    "newaxis": ["x[:, t.newaxis]"],
    "Tensor": ["t.Tensor(2, 3).shape", "t.Tensor([1, 2.5])", "t.Tensor()", "t.Tensor(i)"],
    "Size": ["t.Size([2, 3]).numel()", "list(x.shape)", "x.shape + (1,)"],
    "tensor": [
        "t.tensor(1)",
        "t.tensor(1.5)",
        "t.tensor(True)",
        "t.tensor(1j)",
        "t.tensor([])",
        "t.tensor([1, 2.5])",
        "t.tensor([[1, 2], [3, 4]], dtype=t.uint8)",
        "t.tensor([True, 2])",
        "t.tensor([[1, 2], [3]])",
        "t.tensor('a')",
        "t.tensor(None)",
        "t.tensor([1, 2], dtype=t.float16, requires_grad=True).requires_grad",
        "t.tensor([1, 2], requires_grad=True)",
        "t.tensor(2**40)",
        "t.tensor(300, dtype=t.uint8)",
        "t.tensor(float('nan'), dtype=t.int64)",
        "t.tensor([i[0], i[1]])",
    ],
    "as_tensor": ["t.as_tensor(i) is i", "t.as_tensor([1, 2])", "t.as_tensor(i, dtype=t.float32)"],
    "asarray": ["t.asarray([1, 2])", "t.asarray(i) is i", "t.asarray(i, dtype=t.float64)"],
    "from_numpy": ["t.from_numpy(__import__('numpy').arange(3))", "t.from_numpy([1])"],
    "frombuffer": [
        "t.frombuffer(bytearray(8), dtype=t.int32)",
        "t.frombuffer(bytearray(8), dtype=t.float32, count=1, offset=4)",
        "t.frombuffer(bytearray(7), dtype=t.int32)",
    ],
    "rand": ["t.rand(2, 3)", "t.rand((2, 3), dtype=t.float64)", "t.rand(2, dtype=t.int64)"],
    "randperm": ["t.randperm(5)", "t.randperm(3, dtype=t.int32)", "t.randperm(-1)"],
    "poisson": ["t.poisson(x.detach().abs())"],
    "vander": ["t.vander(v)", "t.vander(v, 3, increasing=True)", "t.vander(x)"],
    "bartlett_window": ["t.bartlett_window(7)", "t.bartlett_window(6, periodic=False)"],
    "blackman_window": ["t.blackman_window(7)", "t.blackman_window(6, periodic=False)"],
    "hamming_window": ["t.hamming_window(7)", "t.hamming_window(6, False, alpha=0.5, beta=0.5)"],
    "hann_window": [
        "t.hann_window(7)",
        "t.hann_window(1)",
        "t.hann_window(0)",
        "t.hann_window(-1)",
    ],
    "kaiser_window": ["t.kaiser_window(7)", "t.kaiser_window(6, periodic=False, beta=8.0)"],
    "fft.fftfreq": ["t.fft.fftfreq(5)", "t.fft.fftfreq(6, d=0.5)"],
    "fft.rfftfreq": ["t.fft.rfftfreq(5)", "t.fft.rfftfreq(6, d=0.5)"],
    "special.gammainc": ["t.special.gammainc(x.detach().abs(), y.detach().abs())"],
    "special.gammaincc": ["t.special.gammaincc(x.detach().abs(), y.detach().abs())"],
    # what is known of dtypes and tensors
    "can_cast": [
        "t.can_cast(t.float64, t.float32)",
        "t.can_cast(t.float32, t.int32)",
        "t.can_cast(t.int32, t.uint8)",
        "t.can_cast(t.complex64, t.float32)",
    ],
    "promote_types": [
        "[t.promote_types(a, b)"
        " for a in (t.bool, t.uint8, t.int8, t.int64, t.float16, t.float64, t.complex64)"
        " for b in (t.bool, t.uint8, t.int8, t.int32, t.bfloat16, t.float32, t.complex128)]"
    ],
    "result_type": [
        "t.result_type(i, 1.0)",
        "t.result_type(f, x)",
        "t.result_type(i, t.tensor(1j))",
    ],
    "finfo": [
        "[(f.eps, f.max, f.min, f.tiny, f.bits, f.smallest_normal)"
        " for f in map(t.finfo, (t.float16, t.bfloat16, t.float32, t.float64))]",
        "t.finfo(t.int64)",
        "t.finfo().resolution",
    ],
    "iinfo": ["[(t.iinfo(d).min, t.iinfo(d).max, t.iinfo(d).bits) for d in (t.uint8, t.int64)]"],
    "is_tensor": ["t.is_tensor(x)", "t.is_tensor(1)"],
    "is_storage": ["t.is_storage(x)"],
    "is_nonzero": ["t.is_nonzero(v[0])", "t.is_nonzero(x)"],
    "is_complex": ["t.is_complex(z)", "t.is_complex(x)"],
    "is_floating_point": ["t.is_floating_point(x)", "t.is_floating_point(i)"],
    "is_conj": ["t.is_conj(x)"],
    "is_inference": ["t.is_inference(x)"],
    "numel": ["t.numel(x)", "t.numel(v[0])"],
    "get_default_dtype": ["t.get_default_dtype()"],
    "get_default_device": ["t.get_default_device().type == t.device('cpu').type"],
    "is_grad_enabled": ["t.is_grad_enabled()"],
    "no_grad": [
        "(lambda: (x * 2).requires_grad)()",
        "t.no_grad()(lambda: (x * 2).requires_grad)()",
    ],
    "enable_grad": ["t.no_grad()(t.enable_grad()(lambda: (x * 2).requires_grad))()"],
    "inference_mode": ["t.inference_mode()(lambda: (x * 2).requires_grad)()"],
    "slogdet": ["t.slogdet(A)"],
    "chain_matmul": ["t.chain_matmul(x, A, y.T)"],
    "manual_seed": ["type(t.manual_seed(3)).__name__", "t.manual_seed('a')"],
    "initial_seed": ["(t.manual_seed(3), t.initial_seed())[1]"],
    "Generator": ["t.Generator().manual_seed(5).initial_seed()"],
    # functions under the root that are those of nn.functional
    "relu": ["t.relu(x)", "x.relu()", "t.relu(i)", "t.relu(m)"],
    "relu_": ["t.relu_(x.detach().clone())"],
    "selu": ["t.selu(x)"],
    "celu": ["t.celu(x, alpha=0.5)"],
    "prelu": ["t.prelu(x, v[:4])"],
    "hardshrink": ["t.hardshrink(x, lambd=0.3)"],
    "threshold": ["t.threshold(x, 0.1, 20)"],
    "rrelu": ["t.rrelu(x, 0.2, 0.2)"],
    "dropout": ["t.dropout(x, 0.5, False)", "t.dropout(x, p=0.0, train=True)"],
    "alpha_dropout": ["t.alpha_dropout(x, 0.5, False)"],
    "feature_alpha_dropout": ["t.feature_alpha_dropout(x, 0.5, False)"],
    "embedding": ["t.embedding(x, i)"],
    "bilinear": ["t.bilinear(x, y, A[None].repeat(2, 1, 1), None)"],
    "batch_norm": ["t.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)"],
    "instance_norm": ["t.instance_norm(b, None, None, None, None, True, 0.1, 1e-5, False)"],
    "cosine_similarity": ["t.cosine_similarity(x, y)"],
    "pairwise_distance": ["t.pairwise_distance(x, y)"],
    "pdist": ["t.pdist(x)"],
    "pixel_shuffle": ["t.pixel_shuffle(image, 2)"],
    "pixel_unshuffle": ["t.pixel_unshuffle(image, 3)"],
    "channel_shuffle": ["t.channel_shuffle(image, 2)"],
    "avg_pool1d": ["t.avg_pool1d(b, 2)"],
    "max_pool1d": ["t.max_pool1d(b, 2)"],
    "max_pool2d": ["t.max_pool2d(image, 2)"],
    "max_pool3d": ["t.max_pool3d(volume, 2)"],
    "adaptive_avg_pool1d": ["t.adaptive_avg_pool1d(b, 3)"],
    "adaptive_max_pool1d": ["t.adaptive_max_pool1d(b, 3)"],
    "max_pool1d_with_indices": ["t.max_pool1d_with_indices(b, 2)"],
    "kl_div": ["t.kl_div(x, y.detach().exp())"],
    "binary_cross_entropy_with_logits": [
        "t.binary_cross_entropy_with_logits(x, y.detach().sigmoid())"
    ],
    "nn.functional.dropout1d": ["t.nn.functional.dropout1d(b, 0.5, False)"],
    "nn.functional.fold": ["t.nn.functional.fold(b[:, :, :4].repeat(1, 4, 1), 3, 2)"],
    "nn.functional.gumbel_softmax": [
        "t.nn.functional.gumbel_softmax(x)",
        "t.nn.functional.gumbel_softmax(x, hard=True).detach().sum(-1)",
    ],
    "nn.functional.affine_grid": [
        "t.nn.functional.affine_grid(x[None, :2, :3], (1, 2, 4, 5))",
        "t.nn.functional.affine_grid(x[None, :2, :3], (1, 2, 4, 5), align_corners=True)",
    ],
    "nn.functional.upsample": ["t.nn.functional.upsample(image, scale_factor=2)"],
    "nn.functional.conv_tbc": [
        "t.nn.functional.conv_tbc(b, A[None, :, :3].repeat(2, 2, 1), v[:3])"
    ],
    # tensors
    "Tensor.dtype": ["x.dtype", "i.dtype", "m.dtype", "z.dtype"],
    "Tensor.shape": ["tuple(x.shape)", "isinstance(x.shape, tuple)"],
    "Tensor.size": ["tuple(x.size())", "x.size(-1)", "x.size(dim=0)", "x.size(2)"],
    "Tensor.dim": ["x.dim()", "v[0].dim()"],
    "Tensor.ndim": ["x.ndim"],
    "Tensor.ndimension": ["x.ndimension()"],
    "Tensor.numel": ["x.numel()"],
    "Tensor.nelement": ["x.nelement()"],
    "Tensor.element_size": ["x.element_size()", "m.element_size()"],
    "Tensor.itemsize": ["x.itemsize"],
    "Tensor.nbytes": ["x.nbytes"],
    "Tensor.stride": ["x.stride()", "x.T.stride()", "x.stride(0)", "x[:, ::2].stride(-1)"],
    "Tensor.storage_offset": ["x[1:, 2:].storage_offset()"],
    "Tensor.is_contiguous": [
        "x.is_contiguous()",
        "x.T.is_contiguous()",
        "x[:, :1].is_contiguous()",
    ],
    "Tensor.is_complex": ["x.is_complex()", "z.is_complex()"],
    "Tensor.is_floating_point": ["x.is_floating_point()", "i.is_floating_point()"],
    "Tensor.is_signed": ["x.is_signed()", "m.is_signed()"],
    "Tensor.is_conj": ["x.is_conj()"],
    "Tensor.is_neg": ["x.is_neg()"],
    "Tensor.is_inference": ["x.is_inference()"],
    "Tensor.is_nonzero": ["v[0].is_nonzero()", "x.is_nonzero()"],
    "Tensor.is_cuda": ["x.is_cuda"],
    "Tensor.is_cpu": ["x.is_cpu"],
    "Tensor.is_meta": ["x.is_meta"],
    "Tensor.is_pinned": ["x.is_pinned()"],
    "Tensor.is_leaf": ["x.is_leaf", "(x * 2).is_leaf", "x.detach().is_leaf"],
    "Tensor.is_set_to": ["x.is_set_to(x)"],
    "Tensor.requires_grad": ["x.requires_grad", "i.requires_grad"],
    "Tensor.requires_grad_": ["x.detach().requires_grad_().requires_grad", "i.requires_grad_()"],
    "Tensor.retain_grad": ["(lambda h: (h.retain_grad(), h.sum().backward(), h.grad)[2])(x * 2)"],
    "Tensor.retains_grad": ["(x * 2).retains_grad"],
    "Tensor.grad": ["x.grad", "((x * y).sum().backward(), x.grad)[1]"],
    "Tensor.grad_fn": ["x.grad_fn is None", "(x * 2).grad_fn is None"],
    "Tensor.output_nr": ["x.output_nr", "x.unbind()[1].output_nr"],
    "Tensor.backward": [
        "(x.sum().backward(), x.grad)[1]",
        "x.backward()",
        "((x * y).backward(x), x.grad)[1]",
        "((x * y).backward(v), x.grad)[1]",
        "i.backward()",
        "(lambda s: (s.backward(), s.backward()))((x * x).sum())",
        "(lambda s: (s.backward(retain_graph=True), s.backward(), x.grad)[2])((x * x).sum())",
        "((x * y).sum().backward(inputs=[x]), x.grad, y.grad is None)[1:]",
    ],
    "Tensor.register_hook": [
        "(x.register_hook(lambda g: g * 3), x.sum().backward(), x.grad)[2]",
        "i.register_hook(print)",
    ],
    "Tensor.register_post_accumulate_grad_hook": [
        "(x.register_post_accumulate_grad_hook(lambda p: [p.grad.mul_(3)] and None),"
        " x.sum().backward(), x.grad)[2]"
    ],
    "Tensor.detach": ["x.detach()", "x.detach().requires_grad"],
    "Tensor.detach_": ["(x * 2).detach_().requires_grad"],
    "Tensor.data": ["x.data", "x.data.requires_grad"],
    "Tensor.device": ["x.device.type == t.device('cpu').type"],
    "Tensor.get_device": ["x.get_device()"],
    "Tensor.cpu": ["x.cpu() is x"],
    "Tensor.type": ["x.type().startswith('t')", "x.type(t.float32)", "x.type(dtype=t.int64)"],
    "Tensor.type_as": ["x.type_as(i)", "i.type_as(x)"],
    "Tensor.tolist": ["x.tolist()", "i.tolist()", "m.tolist()", "v[0].tolist()", "z[:1].tolist()"],
    "Tensor.numpy": ["x.detach().numpy().sum().item()", "x.numpy()", "x.numpy(force=True).shape"],
    "Tensor.new_tensor": ["x.new_tensor([1, 2])", "i.new_tensor([1.5])"],
    "Tensor.copy_": [
        "x.detach().clone().copy_(v[0])",
        "i.clone().copy_(x.detach()[0, :3])",
        "x.detach().clone().copy_(v)",
        "x.copy_(y)",
        "(x * 1).copy_(y)",
    ],
    "Tensor.fill_diagonal_": [
        "x.detach().clone().fill_diagonal_(7)",
        "t.zeros(7, 3).fill_diagonal_(1, wrap=True)",
        "t.zeros(3).fill_diagonal_(1)",
    ],
    "Tensor.apply_": ["x.detach().clone().apply_(lambda a: a * 2)"],
    "Tensor.map_": ["x.detach().clone().map_(y.detach(), lambda a, b: a + b)"],
    "Tensor.random_": [
        "t.zeros(3).random_(5)",
        "t.zeros(3).random_(2, 5)",
        "t.zeros(3).random_(5, 2)",
    ],
    "Tensor.set_": ["t.zeros(2, dtype=t.float64).set_(x.detach())"],
    "Tensor.dim_order": ["x.dim_order()"],
    "Tensor.pin_memory": ["x.pin_memory().is_pinned()"],
    "Tensor.relu_": ["(x * 1).relu_()"],
    "Tensor.prelu": ["x.prelu(v[:1])"],
    "Tensor.hardshrink": ["x.hardshrink(0.3)"],
    "Tensor.slogdet": ["A.slogdet()"],
    "Tensor.__len__": ["len(x)", "len(v[0])"],
    "Tensor.__iter__": ["[*x]", "[*v[0]]"],
    "Tensor.__bool__": ["bool(v[0])", "bool(x)", "bool(t.zeros(()))"],
    "Tensor.__int__": ["int(t.tensor(2.7))", "int(i[0])", "int(x)"],
    "Tensor.__float__": ["float(i[0])", "float(x)"],
    "Tensor.__index__": ["[4, 5, 6][i[0]]", "[4, 5][v[0]]"],
    "Tensor.__contains__": ["2 in i", "7 in i", "i[0] in i"],
    "Tensor.__getitem__": [
        "x[0]",
        "x[-1, 2]",
        "x[5]",
        "x[1:, ::2]",
        "x[::-1]",
        "x[i]",
        "x[i, i]",
        "x[m]",
        "x[..., 1]",
        "x[None]",
        "x[:, i]",
        "x[i[:2], :2]",
        "x[[0, 2]]",
        "x[x > 0]",
        "x[True]",
        "x[1.0]",
        "x['a']",
        "b[i[:2], :, i[:2]]",
        "b[:, i, 1:3]",
        "b[1, ..., i]",
        "x[m, i[:2]]",
        "x[t.tensor(1)]",
        "x[t.tensor([1, 5])]",
        "x[t.tensor([0.5])]",
        "x[1, 2, 3]",
    ],
    "Tensor.__setitem__": [
        f"(lambda w: (w.__setitem__({index}, {value}), w)[1])(x * 1)"
        for index, value in (
            ("0", "1.5"),
            ("(slice(1), i)", "v[:3]"),
            ("i", "y"),
            ("m", "0"),
            ("(i, i)", "v[:3]"),
            ("x > 0", "y[x > 0]"),
            ("0", "v"),
            ("9", "1"),
            ("...", "2"),
            ("0", "1j"),
        )
    ],
    # gradients
    "autograd.grad": [
        "t.autograd.grad((x * y).sum(), [x, y])",
        "t.autograd.grad((x * y).sum(), v)",
        "t.autograd.grad((x * y).sum(), v, allow_unused=True)",
        "t.autograd.grad((x * y).sum(), [x, v], materialize_grads=True)",
        "t.autograd.grad(x * y, x, y)",
        "t.autograd.grad(x * y, x)",
        "t.autograd.grad(t.autograd.grad((x**3).sum(), x, create_graph=True)[0].sum(), x)",
        "t.autograd.grad(x, x, x)",
        "t.autograd.grad(x * 2, x, t.ones(5))",
    ],
    "autograd.backward": ["(t.autograd.backward([(x * y).sum(), x.sum()]), x.grad)[1]"],
    "autograd.gradcheck": ["t.autograd.gradcheck(lambda a: a.sin(), (x,))"],
    "autograd.gradgradcheck": ["t.autograd.gradgradcheck(lambda a: a.sin(), (v,))"],
    "autograd.functional.jacobian": [
        "t.autograd.functional.jacobian(lambda a: a.exp(), v)",
        "t.autograd.functional.jacobian(lambda a, c: a * c.sum(), (v, v), create_graph=True)",
        "t.autograd.functional.jacobian("
        "lambda a: a.exp(), v, strategy='forward-mode', vectorize=True)",
    ],
    "autograd.functional.hessian": ["t.autograd.functional.hessian(lambda a: (a**3).sum(), v)"],
    "autograd.functional.vjp": ["t.autograd.functional.vjp(lambda a: a.exp(), v, v)"],
    "autograd.functional.jvp": ["t.autograd.functional.jvp(lambda a: a.exp(), v, v)"],
    "autograd.functional.hvp": ["t.autograd.functional.hvp(lambda a: (a**3).sum(), v, v)"],
    "autograd.functional.vhp": ["t.autograd.functional.vhp(lambda a: (a**3).sum(), v, v)"],
    "func.grad": [
        "t.func.grad(lambda a: (a**3).sum())(v)",
        "t.func.grad(lambda a, c: ((a * c).sum(), a), argnums=1, has_aux=True)(v, v)",
        "t.func.grad(lambda a: a)(v)",
    ],
    "func.grad_and_value": ["t.func.grad_and_value(lambda a: (a**3).sum())(v)"],
    "func.vjp": ["(lambda out, pull: (out, pull(v)))(*t.func.vjp(lambda a: a.exp(), v))"],
    "func.jvp": ["t.func.jvp(lambda a: a.exp(), (v,), (v,))"],
    "func.jacrev": ["t.func.jacrev(lambda a: a.exp())(v)"],
    "func.jacfwd": ["t.func.jacfwd(lambda a: a.exp())(v)"],
    "func.hessian": ["t.func.hessian(lambda a: (a**3).sum())(v)"],
    "func.linearize": [
        "(lambda out, push: (out, push(v)))(*t.func.linearize(lambda a: a.exp(), v))"
    ],
    "func.vmap": [
        "t.func.vmap(lambda a: a.sum())(x)",
        "t.func.vmap(lambda a, c: a * c, in_dims=(0, None))(x, v[:4])",
        "t.func.vmap(lambda a: a * 2, in_dims=1, out_dims=1)(x)",
        "t.func.vmap(t.func.grad(lambda a: (a**3).sum()))(x)",
        "t.func.vmap(lambda a: a, in_dims=5)(x)",
        "t.func.vmap(lambda a: a.sum(), chunk_size=2)(x)",
    ],
    "vmap": ["t.vmap(lambda a: a.cumsum(0))(x)"],
    "func.functional_call": [
        "t.func.functional_call(t.nn.Linear(4, 3, bias=False), {'weight': y}, (x,))",
        "t.func.functional_call(t.nn.Linear(4, 3), {'weight': y, 'bias': v[:3]}, x)",
    ],
    "utils.checkpoint.checkpoint": [
        "t.utils.checkpoint.checkpoint(lambda a: a.sin().exp(), x, use_reentrant=False)"
    ],
    "autograd.graph.saved_tensors_hooks": [
        "(lambda hooks: (hooks.__enter__(), x * y, hooks.__exit__(None, None, None))[1])("
        "t.autograd.graph.saved_tensors_hooks(lambda a: a, lambda a: a))"
    ],
    # nn
    "nn.Identity": ["t.nn.Identity(3, b=2)(x)"],
    "nn.Flatten": ["t.nn.Flatten()(image)", "t.nn.Flatten(0, 2)(image)"],
    "nn.Hardsigmoid": ["t.nn.Hardsigmoid()(x)"],
    "nn.ChannelShuffle": ["t.nn.ChannelShuffle(2)(image)"],
    "nn.PixelShuffle": ["t.nn.PixelShuffle(2)(image)"],
    "nn.PixelUnshuffle": ["t.nn.PixelUnshuffle(3)(image)"],
    "nn.CosineSimilarity": ["t.nn.CosineSimilarity(dim=0)(x, y)"],
    "nn.PairwiseDistance": ["t.nn.PairwiseDistance(p=1, keepdim=True)(x, y)"],
    "nn.TripletMarginLoss": ["t.nn.TripletMarginLoss(p=1, swap=True)(x, y, x * y)"],
    "nn.Fold": ["t.nn.Fold(3, 2)(b[:, :, :4].repeat(1, 4, 1))"],
    "nn.Unfold": ["t.nn.Unfold(3, padding=1, stride=2)(image)"],
    "nn.Dropout1d": ["t.nn.Dropout1d().eval()(b)"],
    "nn.Dropout2d": ["t.nn.Dropout2d().eval()(image)"],
    "nn.Dropout3d": ["t.nn.Dropout3d().eval()(volume)"],
    "nn.AlphaDropout": ["t.nn.AlphaDropout().eval()(x)"],
    "nn.FeatureAlphaDropout": ["t.nn.FeatureAlphaDropout().eval()(image)"],
    "nn.RReLU": ["t.nn.RReLU().eval()(x)"],
    "nn.Upsample": [
        "t.nn.Upsample(scale_factor=2)(image)",
        "t.nn.Upsample(size=(3, 9), mode='bilinear')(image)",
        "t.nn.Upsample(scale_factor=1.5, mode='bicubic', align_corners=True)(image)",
    ],
    "nn.UpsamplingBilinear2d": ["t.nn.UpsamplingBilinear2d(scale_factor=2)(image)"],
    "nn.UpsamplingNearest2d": ["t.nn.UpsamplingNearest2d(size=9)(image)"],
    "nn.MaxUnpool1d": ["t.nn.MaxUnpool1d(2)(*t.nn.MaxPool1d(2, return_indices=True)(b))"],
    "nn.MaxUnpool2d": ["t.nn.MaxUnpool2d(2)(*t.nn.MaxPool2d(2, return_indices=True)(image))"],
    "nn.MaxUnpool3d": ["t.nn.MaxUnpool3d(2)(*t.nn.MaxPool3d(2, return_indices=True)(volume))"],
    "nn.Parameter": [
        "t.nn.Parameter(x.detach())",
        "t.nn.Parameter(i, requires_grad=False)",
        "t.nn.Parameter(i)",
        "isinstance(t.nn.Parameter(), t.Tensor)",
    ],
    "nn.ModuleList": [
        "len(t.nn.ModuleList([t.nn.ReLU()]).append(t.nn.Tanh()))",
        "list(t.nn.ModuleList([t.nn.Linear(2, 3)]).state_dict())",
        "t.nn.ModuleList([1])",
    ],
    "nn.ModuleDict": [
        "sorted(t.nn.ModuleDict({'a': t.nn.ReLU(), 'c': t.nn.Tanh()}).keys())",
        "t.nn.ModuleDict({'a.b': t.nn.ReLU()})",
    ],
    "nn.ParameterList": ["list(t.nn.ParameterList([x, y]).state_dict())"],
    "nn.ParameterDict": ["list(t.nn.ParameterDict({'a': x}).state_dict())"],
    "nn.Module": [
        "t.nn.Linear(2, 3).train(False).training",
        "[n for n, _ in t.nn.Sequential(t.nn.Linear(2, 3), t.nn.ReLU()).named_modules()]",
        "[n for n, _ in t.nn.BatchNorm1d(3).named_buffers()]",
        "t.nn.Linear(2, 3).load_state_dict({})",
        "t.nn.Linear(2, 3).load_state_dict({}, strict=False)",
        "t.nn.Linear(2, 3).requires_grad_(False).weight.requires_grad",
        "t.nn.Linear(2, 3).double().weight.dtype",
        "t.nn.Linear(2, 3).extra",
        "t.nn.Linear(2, 3)(x)",
        "t.nn.Module()(x)",
        "repr(t.nn.Sequential(t.nn.Linear(2, 3), t.nn.Conv2d(1, 2, 3, padding=1), t.nn.Dropout()))",
    ],
    "nn.init.calculate_gain": [
        f"t.nn.init.calculate_gain({arguments})"
        for arguments in ("'relu'", "'tanh'", "'leaky_relu', 0.3", "'linear'", "'selu'", "'swoosh'")
    ],
    "nn.init.constant_": ["t.nn.init.constant_(t.empty(2, 3), 0.3)"],
    "nn.init.ones_": ["t.nn.init.ones_(t.empty(2, 3))"],
    "nn.init.zeros_": ["t.nn.init.zeros_(t.empty(2, 3))"],
    "nn.init.eye_": ["t.nn.init.eye_(t.empty(2, 3))", "t.nn.init.eye_(t.empty(2))"],
    "nn.init.dirac_": [
        "t.nn.init.dirac_(t.empty(4, 2, 3), groups=2)",
        "t.nn.init.dirac_(t.empty(2))",
    ],
    "nn.init.orthogonal_": ["(lambda w: w @ w.T)(t.nn.init.orthogonal_(t.empty(2, 3), gain=2))"],
    "nn.init.sparse_": ["(t.nn.init.sparse_(t.empty(10, 3), 0.2) == 0).sum(0)"],
    "nn.utils.clip_grad_norm_": [
        "((x * y).sum().backward(),"
        f" t.nn.utils.clip_grad_norm_([x, y, v], {arguments}), x.grad)[1:]"
        for arguments in ("0.5", "0.5, norm_type=1", "0.5, float('inf')", "1e9")
    ],
    "nn.utils.clip_grad_value_": [
        "((x * y).sum().backward(), t.nn.utils.clip_grad_value_([x, y, v], 0.4), x.grad)[1:]"
    ],
    "nn.utils.get_total_norm": ["t.nn.utils.get_total_norm([x.detach(), v.detach()])"],
    "nn.utils.clip_grads_with_norm_": [
        "((x * y).sum().backward(),"
        " t.nn.utils.clip_grads_with_norm_([x], 0.5, v.detach().norm()), x.grad)[1:]"
    ],
    "nn.utils.parameters_to_vector": ["t.nn.utils.parameters_to_vector([x, v])"],
    "nn.utils.vector_to_parameters": [
        "(t.nn.utils.vector_to_parameters(t.arange(12.0).double(), [x]), x.detach())[1]"
    ],
    "nn.utils.rnn.pad_sequence": [
        "t.nn.utils.rnn.pad_sequence([v, v[:3]])",
        "t.nn.utils.rnn.pad_sequence([x, y[:1]], batch_first=True, padding_value=-1.0)",
        "t.nn.utils.rnn.pad_sequence([v[:2], v], padding_side='left')",
    ],
    "nn.utils.rnn.unpad_sequence": [
        "t.nn.utils.rnn.unpad_sequence(x.detach(), t.tensor([3, 1, 2, 2]))"
    ],
    "nn.utils.rnn.pack_padded_sequence": [
        "tuple(t.nn.utils.rnn.pack_padded_sequence(b, [2, 2, 1]))[:2]",
        "tuple(t.nn.utils.rnn.pack_padded_sequence(b, t.tensor([3, 2]), batch_first=True))[:2]",
        "tuple(t.nn.utils.rnn.pack_padded_sequence("
        "b, [2, 3], batch_first=True, enforce_sorted=False))",
        "t.nn.utils.rnn.pack_padded_sequence(b, [2, 3], batch_first=True)",
        "t.nn.utils.rnn.pack_padded_sequence(b, [3, 0], batch_first=True)",
    ],
    "nn.utils.rnn.pad_packed_sequence": [
        "t.nn.utils.rnn.pad_packed_sequence(t.nn.utils.rnn.pack_sequence([x, y[:2]]))",
        "t.nn.utils.rnn.pad_packed_sequence("
        "t.nn.utils.rnn.pack_sequence([x, y[:2]]), True, 7.0, 4)",
    ],
    "nn.utils.rnn.pack_sequence": ["tuple(t.nn.utils.rnn.pack_sequence([x, y[:2]]))[:2]"],
    "nn.utils.rnn.unpack_sequence": [
        "t.nn.utils.rnn.unpack_sequence(t.nn.utils.rnn.pack_sequence([x, y[:2]]))"
    ],
    "nn.utils.rnn.invert_permutation": ["t.nn.utils.rnn.invert_permutation(i)"],
    # data
    "utils.data.TensorDataset": [
        "t.utils.data.TensorDataset(x, y)[1]",
        "t.utils.data.TensorDataset(x, v)",
    ],
    "utils.data.ConcatDataset": ["t.utils.data.ConcatDataset([[1, 2], [3]])[2]"],
    "utils.data.Subset": ["list(t.utils.data.Subset([5, 6, 7], [2, 0]))"],
    "utils.data.StackDataset": ["t.utils.data.StackDataset([1, 2], [3, 4])[1]"],
    "utils.data.ChainDataset": ["len(t.utils.data.ChainDataset([]).datasets)"],
    "utils.data.random_split": [
        "[len(s) for s in t.utils.data.random_split(range(10), [0.25, 0.75])]",
        "t.utils.data.random_split(range(10), [3, 3])",
    ],
    "utils.data.SequentialSampler": ["list(t.utils.data.SequentialSampler([4, 5, 6]))"],
    "utils.data.RandomSampler": ["sorted(t.utils.data.RandomSampler([4, 5, 6]))"],
    "utils.data.SubsetRandomSampler": ["sorted(t.utils.data.SubsetRandomSampler([4, 6]))"],
    "utils.data.WeightedRandomSampler": ["list(t.utils.data.WeightedRandomSampler([0.0, 1.0], 3))"],
    "utils.data.BatchSampler": [
        "list(t.utils.data.BatchSampler(range(5), 2, False))",
        "list(t.utils.data.BatchSampler(range(5), 2, True))",
        "t.utils.data.BatchSampler(range(5), 0, True)",
    ],
    "utils.data.DistributedSampler": [
        "list(t.utils.data.DistributedSampler(range(5), 2, 1, shuffle=False))"
    ],
    "utils.data.DataLoader": [
        "list(t.utils.data.DataLoader([1, 2, 3, 4, 5], batch_size=2))",
        "list(t.utils.data.DataLoader([1.5, 2.5, 3.5], batch_size=2, drop_last=True))",
        "list(t.utils.data.DataLoader([{'a': 1}, {'a': 2}], batch_size=None))",
        "len(t.utils.data.DataLoader(range(5), 2))",
        "t.utils.data.DataLoader([1], batch_size=2, batch_sampler=[[0]])",
        "t.utils.data.DataLoader([1], timeout=-1)",
    ],
    "utils.data.default_collate": [
        "t.utils.data.default_collate([1, 2])",
        "t.utils.data.default_collate([1.5, 2])",
        "t.utils.data.default_collate([(x.detach(), 1), (y.detach(), 2)])",
        "t.utils.data.default_collate([{'a': 1, 'c': 'p'}, {'a': 2, 'c': 'q'}])",
        "t.utils.data.default_collate([[1, 2], [3]])",
        "t.utils.data.default_collate([None])",
    ],
    "utils.data.default_convert": ["t.utils.data.default_convert([x.detach(), 'a'])"],
    "utils.data.get_worker_info": ["t.utils.data.get_worker_info()"],
    "optim.swa_utils.AveragedModel": [
        "t.optim.swa_utils.AveragedModel(t.nn.Linear(2, 3)).n_averaged"
    ],
    "testing.assert_close": [
        "t.testing.assert_close(x, x)",
        "t.testing.assert_close(x, y)",
        "t.testing.assert_close(x, f)",
    ],
}


#: Random numbers, whatever draws them: what they are drawn with is compared elsewhere.
_SPEC_ONLY = {"rand", "randperm", "poisson", "Tensor.random_"}


def draws(name: str, code: str) -> bool:
    """Whether the numbers that a program gives are drawn."""
    return name in _SPEC_ONLY or (name.endswith("gumbel_softmax") and "hard" not in code)


def calls(name: str) -> list[Call]:
    """The programs of a name, each as a call with its operands."""
    made: list[Call] = []
    for i, code in enumerate(TABLE[name]):
        used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
        operands = {each: OPERANDS[each] for each in OPERANDS if each in used}
        made.append(Call(f"{i}: {code}", kwargs=operands))
    return made


def runner(root: Any, call: Call) -> Callable[..., Any]:
    """The program of a call on one side."""
    code = call.name.partition(": ")[2]

    def run(**operands: Any) -> Any:
        return eval(code, {"t": root, **operands})  # the table's own text

    return run
