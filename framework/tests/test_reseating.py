"""Tensors that take another shape, other memory or another class themselves."""

from __future__ import annotations

import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, AutogradError, DtypeError, KindError, ShapeError


def six() -> pg.Tensor:
    return pg.arange(6.0)


def test_a_smaller_shape_shows_the_first_elements():
    x = six()
    assert x.resize_(2, 2) is x
    assert x.tolist() == [[0, 1], [2, 3]]
    assert x.resize_((6,)).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_larger_shape_keeps_the_elements():
    x = six()
    x.resize_(3, 4)
    assert x.shape == (3, 4)
    assert x.flatten()[:6].tolist() == [0, 1, 2, 3, 4, 5]
    x.fill_(1)
    assert x.sum() == 12


def test_a_view_is_resized_from_its_own_first_element():
    x = six()
    view = x[2:]
    view.resize_(2, 2)
    assert view.tolist() == [[2, 3], [4, 5]]
    view[0, 0] = 9
    assert x[2] == 9
    view.resize_(2, 3)
    assert view.flatten()[:4].tolist() == [9, 3, 4, 5]


def test_resizing_gives_c_order_or_a_format():
    x = pg.arange(6.0).reshape(2, 3).t()
    assert x.resize_(3, 2).stride() == (1, 3)
    assert x.resize_(2, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    images = pg.empty(2, 3, 4, 5).resize_(2, 4, 3, 5, memory_format=pg.channels_last)
    assert images.stride() == (60, 1, 20, 4)
    assert pg.ones(2).resize_as_(pg.empty(1, 2)).shape == (1, 2)


def test_a_tensor_can_be_set_to_another_ones_memory():
    x, y = six(), pg.zeros(2)
    assert y.set_(x[1:4]).tolist() == [1, 2, 3]
    x[1] = 9
    assert y.tolist() == [9, 2, 3]
    assert y.is_set_to(x[1:4])
    assert y.set_(x, 1, (2, 2), (2, 1)).tolist() == [[9, 2], [3, 4]]
    assert y.set_(x.untyped_storage(), 4, (2,)).tolist() == [4, 5]
    assert y.set_().shape == (0,)


def test_what_is_recorded_is_not_reseated():
    leaf = six().requires_grad_()
    for tensor in (leaf, leaf * 1):
        with pytest.raises(AutogradError, match="not recorded"):
            tensor.resize_(2)
        with pytest.raises(AutogradError, match="not recorded"):
            tensor.set_(six())


def test_backward_sees_that_a_saved_tensor_was_resized():
    x, weight = six(), pg.ones(6, requires_grad=True)
    out = (x * weight).sum()
    x.resize_(2)
    with pytest.raises(RuntimeError, match="changed"):
        out.backward()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.resize_(-1), ShapeError),
        (lambda x: x.set_(pg.ones(2, dtype=pg.int64)), DtypeError),
        (lambda x: x.set_([1.0]), KindError),
        (lambda x: x.set_(six(), 3, (4,)), ShapeError),
        (lambda x: x.set_(six().untyped_storage()), ArgumentError),
        (lambda x: x.as_subclass(int), KindError),
    ],
)
def test_what_cannot_be_is_refused(call, error):
    with pytest.raises(error):
        call(six())


def test_a_tensor_as_another_class_is_the_same_tensor():
    class Mine(pg.Tensor):
        pass

    leaf = six().requires_grad_()
    mine = (leaf * 2).as_subclass(Mine)
    assert type(mine) is Mine
    mine.sum().backward()
    assert leaf.grad.tolist() == [2] * 6
    x = six()
    x.as_subclass(Mine)[0] = 7
    assert x[0] == 7


def test_new_tensors_can_have_strides():
    made = six().double().new_empty_strided((2, 3), (1, 2))
    assert (made.stride(), made.dtype) == ((1, 2), pg.float64)
    assert made.const_data_ptr() == made.data_ptr()


def test_two_activations_are_methods_too():
    x = pg.tensor([-2.0, 0.1, 3.0])
    assert x.hardshrink(0.5).tolist() == [-2, 0, 3]
    assert x.prelu(pg.tensor([0.5])).tolist() == pytest.approx([-1, 0.1, 3])
