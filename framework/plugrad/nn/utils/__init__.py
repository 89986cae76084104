"""What training loops do to all parameters at once."""

from plugrad.nn.utils.clip_grad import clip_grad_norm_ as clip_grad_norm_
from plugrad.nn.utils.clip_grad import clip_grad_value_ as clip_grad_value_
from plugrad.nn.utils.convert_parameters import parameters_to_vector as parameters_to_vector
from plugrad.nn.utils.convert_parameters import vector_to_parameters as vector_to_parameters
