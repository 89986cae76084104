"""Memory formats: the order of axes in memory, which changes no value."""

from __future__ import annotations

import copy
import pickle

import pytest

import plugrad as pg
from plugrad import nn
from plugrad.errors import ArgumentError, KindError, ShapeError

LIKE = [
    pg.empty_like,
    pg.zeros_like,
    pg.ones_like,
    pg.rand_like,
    pg.randn_like,
    lambda x, **options: pg.full_like(x, 3, **options),
    lambda x, **options: pg.randint_like(x, 9, **options),
]


def images() -> pg.Tensor:
    return pg.arange(120.0).reshape(2, 3, 4, 5)


def test_channels_last_puts_the_channels_of_a_pixel_side_by_side():
    x = images()
    laid = x.contiguous(memory_format=pg.channels_last)
    assert laid.stride() == (60, 1, 15, 3)
    assert laid.shape == x.shape
    assert laid.tolist() == x.tolist()
    assert laid.is_contiguous(memory_format=pg.channels_last)
    assert not laid.is_contiguous()
    assert laid.contiguous(memory_format=pg.channels_last) is laid
    assert laid.contiguous().stride() == x.stride()
    assert laid.dim_order() == (0, 2, 3, 1)


def test_volumes_have_a_format_of_their_own():
    x = pg.arange(240.0).reshape(2, 3, 2, 4, 5)
    laid = x.to(memory_format=pg.channels_last_3d)
    assert laid.stride() == (120, 1, 60, 15, 3)
    assert laid.tolist() == x.tolist()


def test_the_format_must_fit_the_number_of_axes():
    x = images()[0]
    assert not x.is_contiguous(memory_format=pg.channels_last)
    with pytest.raises(ShapeError, match="4 axes for plugrad"):
        x.contiguous(memory_format=pg.channels_last)
    with pytest.raises(ShapeError):
        pg.empty(2, 3, memory_format=pg.channels_last_3d)


@pytest.mark.parametrize("call", [images().contiguous, images().is_contiguous, images().clone])
def test_what_is_no_format_is_refused(call):
    with pytest.raises(KindError, match="a memory format"):
        call(memory_format="channels_last")


def test_there_is_nothing_to_preserve_in_a_new_tensor():
    with pytest.raises(KindError, match="another format"):
        pg.empty(2, 3, memory_format=pg.preserve_format)
    with pytest.raises(KindError, match="another format"):
        images().transpose(0, 1).contiguous(memory_format=pg.preserve_format)


def test_a_copy_preserves_the_order_of_axes_unless_told_otherwise():
    x = images().transpose(1, 3)
    for copied in (x.clone(), pg.clone(x), x.to(copy=True), x.double(), x.to(pg.float64)):
        assert copied.stride() == x.stride()
        assert copied.tolist() == x.tolist()
    assert x.clone(memory_format=pg.contiguous_format).is_contiguous()
    assert x.double(memory_format=pg.contiguous_format).is_contiguous()
    assert x.clone().untyped_storage() is not x.untyped_storage()


def test_gaps_and_repetitions_are_not_preserved():
    x = images()
    assert x[:, ::2].clone().stride() == (40, 20, 5, 1)
    assert x.transpose(0, 1)[:, :, ::2].clone().stride() == (10, 30, 5, 1)
    assert pg.ones(3, 1).expand(3, 4).clone().stride() == (4, 1)


@pytest.mark.parametrize("make", LIKE)
def test_a_tensor_like_another_has_its_order_of_axes(make):
    x = images().to(memory_format=pg.channels_last)
    assert make(x).stride() == x.stride()
    assert make(x, memory_format=pg.contiguous_format).stride() == (60, 20, 5, 1)
    assert make(images(), memory_format=pg.channels_last).stride() == x.stride()


def test_random_numbers_do_not_depend_on_the_format():
    x = images()
    pg.manual_seed(3)
    plain = pg.randn_like(x)
    pg.manual_seed(3)
    assert pg.randn_like(x, memory_format=pg.channels_last).tolist() == plain.tolist()


def test_to_leaves_a_tensor_alone_that_is_in_the_format():
    x = images()
    laid = x.to(memory_format=pg.channels_last)
    assert laid.to(memory_format=pg.channels_last) is laid
    assert laid.to(memory_format=pg.preserve_format) is laid
    assert laid.to(memory_format=pg.contiguous_format).is_contiguous()
    assert x.transpose(0, 2).to(memory_format=pg.contiguous_format).stride() == (5, 20, 60, 1)
    assert laid[:, :2].to(memory_format=pg.channels_last).stride() == (60, 1, 15, 3)


def test_gradients_pass_a_change_of_format():
    x = images().requires_grad_()
    weight = images() / 10
    y = x.to(memory_format=pg.channels_last)
    (y.contiguous() * weight + y.clone(memory_format=pg.channels_last)).sum().backward()
    assert x.grad.tolist() == (weight + 1).tolist()


def test_a_format_can_be_changed_under_vmap():
    x = images().unsqueeze(0).expand(2, 2, 3, 4, 5)
    out = pg.vmap(lambda each: each.clone(memory_format=pg.channels_last) * 2)(x)
    assert out.tolist() == (x * 2).tolist()


def test_a_model_keeps_its_parameters_in_a_format():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    before = copy.deepcopy(model.state_dict())
    model.to(memory_format=pg.channels_last)
    assert model[0].weight.is_contiguous(memory_format=pg.channels_last)
    assert model[0].weight.is_leaf
    assert all(pg.equal(before[name], value) for name, value in model.state_dict().items())
    assert model(pg.ones(2, 3, 3, 3).to(memory_format=pg.channels_last)).shape == (2, 2)


def test_weights_of_convolutions_can_be_converted_alone():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv3d(3, 4, 2), nn.ConvTranspose2d(3, 4, 2))
    nn.utils.convert_conv2d_weight_memory_format(model, pg.channels_last)
    in_format = [m.weight.is_contiguous(memory_format=pg.channels_last) for m in model]
    assert in_format == [True, False, True]
    nn.utils.convert_conv3d_weight_memory_format(model, pg.channels_last_3d)
    assert model[1].weight.is_contiguous(memory_format=pg.channels_last_3d)


def test_an_unclear_order_of_axes_is_refused_if_asked():
    assert images().dim_order(ambiguity_check=True) == (0, 1, 2, 3)
    with pytest.raises(ArgumentError, match="order of its axes"):
        pg.ones(1, 2, 3, 4).dim_order(ambiguity_check=True)
    formats = [pg.contiguous_format, pg.channels_last]
    assert pg.ones(1, 2, 3, 4).dim_order(ambiguity_check=formats) == (0, 1, 2, 3)
    with pytest.raises(ArgumentError):
        pg.ones(2, 2, 1, 1).dim_order(ambiguity_check=formats)
    with pytest.raises(KindError):
        pg.ones(2).dim_order(ambiguity_check=5)


def test_formats_are_values_with_a_name():
    assert repr(pg.channels_last) == "plugrad.channels_last"
    assert pickle.loads(pickle.dumps(pg.channels_last)) is pg.channels_last
    assert isinstance(pg.preserve_format, pg.memory_format)
