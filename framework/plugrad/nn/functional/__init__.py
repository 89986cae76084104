"""What layers compute, as functions: PyTorch's `torch.nn.functional`. One module per family."""

from plugrad.functions.convolution import conv1d as conv1d
from plugrad.functions.convolution import conv2d as conv2d
from plugrad.functions.convolution import conv3d as conv3d
from plugrad.functions.convolution import conv_tbc as conv_tbc
from plugrad.functions.convolution import conv_transpose1d as conv_transpose1d
from plugrad.functions.convolution import conv_transpose2d as conv_transpose2d
from plugrad.functions.convolution import conv_transpose3d as conv_transpose3d
from plugrad.functions.pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
from plugrad.functions.pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
from plugrad.functions.pooling import adaptive_avg_pool3d as adaptive_avg_pool3d
from plugrad.functions.pooling import adaptive_max_pool1d as adaptive_max_pool1d
from plugrad.functions.pooling import adaptive_max_pool2d as adaptive_max_pool2d
from plugrad.functions.pooling import adaptive_max_pool3d as adaptive_max_pool3d
from plugrad.functions.pooling import avg_pool1d as avg_pool1d
from plugrad.functions.pooling import avg_pool2d as avg_pool2d
from plugrad.functions.pooling import avg_pool3d as avg_pool3d
from plugrad.functions.pooling import max_pool1d as max_pool1d
from plugrad.functions.pooling import max_pool2d as max_pool2d
from plugrad.functions.pooling import max_pool3d as max_pool3d
from plugrad.functions.sloping import hardshrink as hardshrink
from plugrad.functions.sloping import prelu as prelu
from plugrad.nn.functional.activation import celu as celu
from plugrad.nn.functional.activation import celu_ as celu_
from plugrad.nn.functional.activation import elu as elu
from plugrad.nn.functional.activation import elu_ as elu_
from plugrad.nn.functional.activation import gelu as gelu
from plugrad.nn.functional.activation import glu as glu
from plugrad.nn.functional.activation import hardsigmoid as hardsigmoid
from plugrad.nn.functional.activation import hardswish as hardswish
from plugrad.nn.functional.activation import hardtanh as hardtanh
from plugrad.nn.functional.activation import hardtanh_ as hardtanh_
from plugrad.nn.functional.activation import leaky_relu as leaky_relu
from plugrad.nn.functional.activation import leaky_relu_ as leaky_relu_
from plugrad.nn.functional.activation import log_softmax as log_softmax
from plugrad.nn.functional.activation import logsigmoid as logsigmoid
from plugrad.nn.functional.activation import mish as mish
from plugrad.nn.functional.activation import relu as relu
from plugrad.nn.functional.activation import relu6 as relu6
from plugrad.nn.functional.activation import relu_ as relu_
from plugrad.nn.functional.activation import rrelu as rrelu
from plugrad.nn.functional.activation import rrelu_ as rrelu_
from plugrad.nn.functional.activation import selu as selu
from plugrad.nn.functional.activation import selu_ as selu_
from plugrad.nn.functional.activation import sigmoid as sigmoid
from plugrad.nn.functional.activation import silu as silu
from plugrad.nn.functional.activation import softmax as softmax
from plugrad.nn.functional.activation import softmin as softmin
from plugrad.nn.functional.activation import softplus as softplus
from plugrad.nn.functional.activation import softshrink as softshrink
from plugrad.nn.functional.activation import softsign as softsign
from plugrad.nn.functional.activation import tanh as tanh
from plugrad.nn.functional.activation import tanhshrink as tanhshrink
from plugrad.nn.functional.activation import threshold as threshold
from plugrad.nn.functional.activation import threshold_ as threshold_
from plugrad.nn.functional.attention import (
    multi_head_attention_forward as multi_head_attention_forward,
)
from plugrad.nn.functional.attention import (
    scaled_dot_product_attention as scaled_dot_product_attention,
)
from plugrad.nn.functional.ctc import ctc_loss as ctc_loss
from plugrad.nn.functional.distance import huber_loss as huber_loss
from plugrad.nn.functional.distance import l1_loss as l1_loss
from plugrad.nn.functional.distance import mse_loss as mse_loss
from plugrad.nn.functional.distance import smooth_l1_loss as smooth_l1_loss
from plugrad.nn.functional.grid import affine_grid as affine_grid
from plugrad.nn.functional.grid import grid_sample as grid_sample
from plugrad.nn.functional.indexing import embedding as embedding
from plugrad.nn.functional.indexing import embedding_bag as embedding_bag
from plugrad.nn.functional.indexing import one_hot as one_hot
from plugrad.nn.functional.linalg import bilinear as bilinear
from plugrad.nn.functional.linalg import cosine_similarity as cosine_similarity
from plugrad.nn.functional.linalg import linear as linear
from plugrad.nn.functional.linalg import normalize as normalize
from plugrad.nn.functional.linalg import pairwise_distance as pairwise_distance
from plugrad.nn.functional.linalg import pdist as pdist
from plugrad.nn.functional.linear_loss import linear_cross_entropy as linear_cross_entropy
from plugrad.nn.functional.loss import binary_cross_entropy as binary_cross_entropy
from plugrad.nn.functional.loss import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from plugrad.nn.functional.loss import cross_entropy as cross_entropy
from plugrad.nn.functional.loss import gaussian_nll_loss as gaussian_nll_loss
from plugrad.nn.functional.loss import kl_div as kl_div
from plugrad.nn.functional.loss import nll_loss as nll_loss
from plugrad.nn.functional.loss import poisson_nll_loss as poisson_nll_loss
from plugrad.nn.functional.margin import cosine_embedding_loss as cosine_embedding_loss
from plugrad.nn.functional.margin import hinge_embedding_loss as hinge_embedding_loss
from plugrad.nn.functional.margin import margin_ranking_loss as margin_ranking_loss
from plugrad.nn.functional.margin import multi_margin_loss as multi_margin_loss
from plugrad.nn.functional.margin import multilabel_margin_loss as multilabel_margin_loss
from plugrad.nn.functional.margin import multilabel_soft_margin_loss as multilabel_soft_margin_loss
from plugrad.nn.functional.margin import soft_margin_loss as soft_margin_loss
from plugrad.nn.functional.margin import triplet_margin_loss as triplet_margin_loss
from plugrad.nn.functional.margin import (
    triplet_margin_with_distance_loss as triplet_margin_with_distance_loss,
)
from plugrad.nn.functional.normalization import batch_norm as batch_norm
from plugrad.nn.functional.normalization import group_norm as group_norm
from plugrad.nn.functional.normalization import instance_norm as instance_norm
from plugrad.nn.functional.normalization import layer_norm as layer_norm
from plugrad.nn.functional.normalization import local_response_norm as local_response_norm
from plugrad.nn.functional.normalization import rms_norm as rms_norm
from plugrad.nn.functional.padding import pad as pad
from plugrad.nn.functional.pooling import fractional_max_pool2d as fractional_max_pool2d
from plugrad.nn.functional.pooling import fractional_max_pool3d as fractional_max_pool3d
from plugrad.nn.functional.pooling import lp_pool1d as lp_pool1d
from plugrad.nn.functional.pooling import lp_pool2d as lp_pool2d
from plugrad.nn.functional.pooling import lp_pool3d as lp_pool3d
from plugrad.nn.functional.pooling import max_unpool1d as max_unpool1d
from plugrad.nn.functional.pooling import max_unpool2d as max_unpool2d
from plugrad.nn.functional.pooling import max_unpool3d as max_unpool3d
from plugrad.nn.functional.positions import (
    adaptive_max_pool1d_with_indices as adaptive_max_pool1d_with_indices,
)
from plugrad.nn.functional.positions import (
    adaptive_max_pool2d_with_indices as adaptive_max_pool2d_with_indices,
)
from plugrad.nn.functional.positions import (
    adaptive_max_pool3d_with_indices as adaptive_max_pool3d_with_indices,
)
from plugrad.nn.functional.positions import (
    fractional_max_pool2d_with_indices as fractional_max_pool2d_with_indices,
)
from plugrad.nn.functional.positions import (
    fractional_max_pool3d_with_indices as fractional_max_pool3d_with_indices,
)
from plugrad.nn.functional.positions import max_pool1d_with_indices as max_pool1d_with_indices
from plugrad.nn.functional.positions import max_pool2d_with_indices as max_pool2d_with_indices
from plugrad.nn.functional.positions import max_pool3d_with_indices as max_pool3d_with_indices
from plugrad.nn.functional.resampling import interpolate as interpolate
from plugrad.nn.functional.resampling import upsample as upsample
from plugrad.nn.functional.resampling import upsample_bilinear as upsample_bilinear
from plugrad.nn.functional.resampling import upsample_nearest as upsample_nearest
from plugrad.nn.functional.sampling import alpha_dropout as alpha_dropout
from plugrad.nn.functional.sampling import dropout as dropout
from plugrad.nn.functional.sampling import dropout1d as dropout1d
from plugrad.nn.functional.sampling import dropout2d as dropout2d
from plugrad.nn.functional.sampling import dropout3d as dropout3d
from plugrad.nn.functional.sampling import feature_alpha_dropout as feature_alpha_dropout
from plugrad.nn.functional.sampling import gumbel_softmax as gumbel_softmax
from plugrad.nn.functional.shape import channel_shuffle as channel_shuffle
from plugrad.nn.functional.shape import fold as fold
from plugrad.nn.functional.shape import pixel_shuffle as pixel_shuffle
from plugrad.nn.functional.shape import pixel_unshuffle as pixel_unshuffle
from plugrad.nn.functional.shape import unfold as unfold
