"""What training loops do to all parameters at once, and other ways to write a parameter."""

from plugrad.nn.utils import parametrizations as parametrizations
from plugrad.nn.utils import parametrize as parametrize
from plugrad.nn.utils import rnn as rnn
from plugrad.nn.utils.clip_grad import clip_grad_norm as clip_grad_norm
from plugrad.nn.utils.clip_grad import clip_grad_norm_ as clip_grad_norm_
from plugrad.nn.utils.clip_grad import clip_grad_value_ as clip_grad_value_
from plugrad.nn.utils.clip_grad import clip_grads_with_norm_ as clip_grads_with_norm_
from plugrad.nn.utils.clip_grad import get_total_norm as get_total_norm
from plugrad.nn.utils.convert_parameters import parameters_to_vector as parameters_to_vector
from plugrad.nn.utils.convert_parameters import vector_to_parameters as vector_to_parameters
from plugrad.nn.utils.fusion import fuse_conv_bn_eval as fuse_conv_bn_eval
from plugrad.nn.utils.fusion import fuse_conv_bn_weights as fuse_conv_bn_weights
from plugrad.nn.utils.fusion import fuse_linear_bn_eval as fuse_linear_bn_eval
from plugrad.nn.utils.fusion import fuse_linear_bn_weights as fuse_linear_bn_weights
from plugrad.nn.utils.init import skip_init as skip_init
from plugrad.nn.utils.memory_format import (
    convert_conv2d_weight_memory_format as convert_conv2d_weight_memory_format,
)
from plugrad.nn.utils.memory_format import (
    convert_conv3d_weight_memory_format as convert_conv3d_weight_memory_format,
)
from plugrad.nn.utils.reweighting import remove_spectral_norm as remove_spectral_norm
from plugrad.nn.utils.reweighting import remove_weight_norm as remove_weight_norm
from plugrad.nn.utils.reweighting import spectral_norm as spectral_norm
from plugrad.nn.utils.reweighting import weight_norm as weight_norm
