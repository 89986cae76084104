"""What a tensor says of its kind, and PyTorch's first constructors."""

from __future__ import annotations

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, AutogradError, DtypeError, ShapeError


def test_old_constructors_take_sizes_or_elements() -> None:
    assert pg.LongTensor([1, 2]).dtype is pg.int64
    assert pg.FloatTensor(2, 3).shape == (2, 3)
    assert pg.FloatTensor(pg.ones(2, 3).shape).shape == (2, 3)
    assert pg.ByteTensor(np.arange(3)).tolist() == [0, 1, 2]
    assert pg.Tensor(2, 3).shape == (2, 3)
    assert pg.Tensor(pg.ones(4, 5).size()).shape == (4, 5)
    assert pg.Tensor([1, 2]).dtype is pg.float32
    assert pg.FloatTensor().numel() == 0


def test_old_constructors_are_types_of_tensors() -> None:
    x = pg.ones(2)
    assert isinstance(x, pg.FloatTensor)
    assert not isinstance(x, pg.LongTensor)
    assert not isinstance(2.0, pg.FloatTensor)
    assert repr(pg.FloatTensor) == x.type() == "plugrad.FloatTensor"
    assert x.type(pg.LongTensor).dtype is pg.int64
    assert x.type("torch.DoubleTensor").dtype is pg.float64
    assert x.type(pg.int8).type() == "plugrad.CharTensor"
    assert x.type(pg.FloatTensor) is x
    with pytest.raises(ArgumentError, match="FloatTensor"):
        x.type("torch.Nothing")


def test_default_tensor_type_names_the_dtype_of_new_tensors() -> None:
    try:
        pg.set_default_tensor_type(pg.DoubleTensor)
        assert pg.zeros(1).dtype is pg.float64
        pg.set_default_tensor_type("torch.FloatTensor")
        assert pg.zeros(1).dtype is pg.float32
    finally:
        pg.set_default_dtype(pg.float32)


def test_casts_have_names() -> None:
    x = pg.tensor([1.5])
    names = "byte char short int long half bfloat16 float double cfloat cdouble bool"
    dtypes = [getattr(x, name)().dtype for name in names.split()]
    assert dtypes == [
        *(pg.uint8, pg.int8, pg.int16, pg.int32, pg.int64, pg.float16, pg.bfloat16),
        *(pg.float32, pg.float64, pg.complex64, pg.complex128, pg.bool),
    ]


def test_tensor_tells_where_and_how_it_lies() -> None:
    x = pg.ones(2, 3)
    assert (x.is_cpu, x.is_cuda, x.is_meta, x.is_sparse, x.is_quantized) == (True, *[False] * 4)
    assert pg.empty(2, device="meta").is_meta
    assert x.get_device() == pg.get_device(x) == -1
    assert x.ndimension() == 2
    assert x.t().dim_order() == (1, 0)
    assert (x.is_signed(), pg.tensor([1]).byte().is_signed(), x.bool().is_signed()) == (
        *(True, False),
        False,
    )
    assert x.nelement() == pg.numel(x) == 6
    assert pg.is_tensor(x)
    assert not pg.is_tensor(np.ones(2))
    assert [x.is_conj(), x.is_neg(), x.is_inference()] == [False] * 3
    assert x.resolve_conj() is x
    assert x.positive() is +x is x
    with pytest.raises(DtypeError, match="positive"):
        +x.bool()


def test_only_element_is_zero_or_not() -> None:
    assert pg.tensor([2.0]).is_nonzero()
    assert not pg.tensor(0).is_nonzero()
    with pytest.raises(ShapeError, match="is_nonzero"):
        pg.ones(2).is_nonzero()


def test_adjoint_is_transposed_and_conjugated() -> None:
    x = pg.tensor([[1 + 2j, 3j]])
    assert x.mH.tolist() == x.H.tolist() == x.adjoint().tolist() == [[1 - 2j], [-3j]]
    with pytest.raises(ShapeError, match="H: self: expected a matrix"):
        pg.ones(2, 2, 2).H  # noqa: B018


def test_python_functions_are_applied_element_by_element() -> None:
    x = pg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.apply_(lambda each: each + 1) is x
    assert x.map_(pg.tensor([10.0, 20.0]), lambda own, other: own * other).tolist() == [
        [20.0, 60.0],
        [40.0, 100.0],
    ]
    with pytest.raises(AutogradError, match="map_"):
        pg.ones(2, requires_grad=True).apply_(abs)


def test_new_tensors_are_of_the_same_kind() -> None:
    x = pg.ones(2, dtype=pg.float64)
    assert x.new(3, 4).shape == (3, 4)
    assert x.new([1, 2]).dtype is pg.float64
    assert x.reshape_as(pg.ones(2, 1)).shape == (2, 1)


def test_gradient_that_is_kept_twice_is_kept_once() -> None:
    x = pg.ones(2, requires_grad=True)
    y = x * 2
    assert not y.retains_grad
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad
    y.sum().backward()
    assert y.grad.tolist() == [1, 1]


def test_hook_runs_after_a_leaf_has_accumulated() -> None:
    x = pg.ones(2, requires_grad=True)
    seen: list[list[float]] = []
    handle = x.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf.grad.tolist()))
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    handle.remove()
    (x * 3).sum().backward()
    assert seen == [[2, 2], [5, 5]]
    with pytest.raises(AutogradError, match="register_post_accumulate_grad_hook"):
        (x * 2).register_post_accumulate_grad_hook(print)


def test_two_looks_at_the_same_memory_are_told() -> None:
    x = pg.ones(2, 3)
    assert x.is_set_to(x.view(2, 3))
    assert not x.is_set_to(x.view(3, 2))
    assert not x.is_set_to(x.clone())
    assert (x.is_pinned(), x.is_shared()) == (False, False)
    assert pg.typename(x) == "plugrad.tensor.Tensor"


def test_part_of_a_shape_is_a_shape() -> None:
    shape = pg.ones(2, 3, 4).shape
    assert shape[1:].numel() == 12
    assert (shape + shape).numel() == 24**2
    assert repr(shape[:2]) == "plugrad.Size([2, 3])"
    assert shape[0] == 2


def test_namespace_that_few_need_is_loaded_when_named() -> None:
    assert "special" in dir(pg)
    assert pg.special.expit(pg.zeros(())).item() == 0.5
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pg.nothing  # noqa: B018
