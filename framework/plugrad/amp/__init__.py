"""Mixed precision: products in float16 or bfloat16, what needs more in float32."""

from plugrad.amp.autocast_mode import autocast as autocast
from plugrad.amp.autocast_mode import custom_bwd as custom_bwd
from plugrad.amp.autocast_mode import custom_fwd as custom_fwd
from plugrad.amp.autocast_mode import get_autocast_dtype as get_autocast_dtype
from plugrad.amp.autocast_mode import is_autocast_available as is_autocast_available
from plugrad.amp.autocast_mode import is_autocast_enabled as is_autocast_enabled
from plugrad.amp.grad_scaler import GradScaler as GradScaler
