"""Functions made from functions: `vmap`, and derivatives as functions that may be nested."""

from plugrad.func.gradients import grad as grad
from plugrad.func.gradients import grad_and_value as grad_and_value
from plugrad.func.gradients import jacrev as jacrev
from plugrad.func.gradients import vjp as vjp
from plugrad.func.mapping import vmap as vmap
from plugrad.func.modules import functional_call as functional_call
from plugrad.func.modules import (
    replace_all_batch_norm_modules_ as replace_all_batch_norm_modules_,
)
from plugrad.func.modules import stack_module_state as stack_module_state
from plugrad.func.pushing import hessian as hessian
from plugrad.func.pushing import jacfwd as jacfwd
from plugrad.func.pushing import jvp as jvp
from plugrad.func.pushing import linearize as linearize
