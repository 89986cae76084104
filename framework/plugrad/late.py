"""The public functions of floor 6, loaded together when the first of them is named."""

from plugrad.functions.sloping import hardshrink as hardshrink
from plugrad.functions.sloping import prelu as prelu
from plugrad.nn.functional.activation import celu as celu
from plugrad.nn.functional.activation import celu_ as celu_
from plugrad.nn.functional.activation import rrelu as rrelu
from plugrad.nn.functional.activation import rrelu_ as rrelu_
from plugrad.nn.functional.activation import selu as selu
from plugrad.nn.functional.activation import selu_ as selu_
from plugrad.nn.functional.activation import threshold as threshold
from plugrad.nn.functional.activation import threshold_ as threshold_
from plugrad.nn.functional.linalg import bilinear as bilinear
from plugrad.nn.functional.linalg import cosine_similarity as cosine_similarity
from plugrad.nn.functional.linalg import pairwise_distance as pairwise_distance
from plugrad.nn.functional.normalization import rms_norm as rms_norm
from plugrad.nn.functional.shape import channel_shuffle as channel_shuffle
from plugrad.nn.functional.shape import pixel_shuffle as pixel_shuffle
from plugrad.nn.functional.shape import pixel_unshuffle as pixel_unshuffle
from plugrad.nn.functional.unprefixed import adaptive_max_pool1d as adaptive_max_pool1d
from plugrad.nn.functional.unprefixed import affine_grid_generator as affine_grid_generator
from plugrad.nn.functional.unprefixed import alpha_dropout as alpha_dropout
from plugrad.nn.functional.unprefixed import alpha_dropout_ as alpha_dropout_
from plugrad.nn.functional.unprefixed import batch_norm as batch_norm
from plugrad.nn.functional.unprefixed import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from plugrad.nn.functional.unprefixed import constant_pad_nd as constant_pad_nd
from plugrad.nn.functional.unprefixed import cosine_embedding_loss as cosine_embedding_loss
from plugrad.nn.functional.unprefixed import ctc_loss as ctc_loss
from plugrad.nn.functional.unprefixed import dropout as dropout
from plugrad.nn.functional.unprefixed import dropout_ as dropout_
from plugrad.nn.functional.unprefixed import embedding as embedding
from plugrad.nn.functional.unprefixed import feature_alpha_dropout as feature_alpha_dropout
from plugrad.nn.functional.unprefixed import feature_alpha_dropout_ as feature_alpha_dropout_
from plugrad.nn.functional.unprefixed import grid_sampler as grid_sampler
from plugrad.nn.functional.unprefixed import group_norm as group_norm
from plugrad.nn.functional.unprefixed import hinge_embedding_loss as hinge_embedding_loss
from plugrad.nn.functional.unprefixed import instance_norm as instance_norm
from plugrad.nn.functional.unprefixed import kl_div as kl_div
from plugrad.nn.functional.unprefixed import layer_norm as layer_norm
from plugrad.nn.functional.unprefixed import margin_ranking_loss as margin_ranking_loss
from plugrad.nn.functional.unprefixed import max_pool1d_with_indices as max_pool1d_with_indices
from plugrad.nn.functional.unprefixed import poisson_nll_loss as poisson_nll_loss
from plugrad.nn.functional.unprefixed import triplet_margin_loss as triplet_margin_loss
from plugrad.serialize import load as load
from plugrad.serialize import save as save
