"""What devices with memory and a clock of their own tell and do: PyTorch's `torch.cuda`.

A device is an index, a name or a `device`; without one it is this thread's current device. Names of
other backends do as well, where those offer the services (`plugrad.hooks`, at the end).
"""

from plugrad.cuda import amp as amp
from plugrad.cuda.devices import current_device as current_device
from plugrad.cuda.devices import device as device
from plugrad.cuda.devices import device_count as device_count
from plugrad.cuda.devices import device_of as device_of
from plugrad.cuda.devices import get_device_capability as get_device_capability
from plugrad.cuda.devices import get_device_name as get_device_name
from plugrad.cuda.devices import get_device_properties as get_device_properties
from plugrad.cuda.devices import init as init
from plugrad.cuda.devices import is_available as is_available
from plugrad.cuda.devices import is_bf16_supported as is_bf16_supported
from plugrad.cuda.devices import is_initialized as is_initialized
from plugrad.cuda.devices import set_device as set_device
from plugrad.cuda.devices import synchronize as synchronize
from plugrad.cuda.memory import empty_cache as empty_cache
from plugrad.cuda.memory import max_memory_allocated as max_memory_allocated
from plugrad.cuda.memory import max_memory_reserved as max_memory_reserved
from plugrad.cuda.memory import mem_get_info as mem_get_info
from plugrad.cuda.memory import memory_allocated as memory_allocated
from plugrad.cuda.memory import memory_reserved as memory_reserved
from plugrad.cuda.memory import memory_stats as memory_stats
from plugrad.cuda.memory import memory_summary as memory_summary
from plugrad.cuda.memory import reset_peak_memory_stats as reset_peak_memory_stats
from plugrad.cuda.seeding import get_rng_state as get_rng_state
from plugrad.cuda.seeding import get_rng_state_all as get_rng_state_all
from plugrad.cuda.seeding import initial_seed as initial_seed
from plugrad.cuda.seeding import manual_seed as manual_seed
from plugrad.cuda.seeding import manual_seed_all as manual_seed_all
from plugrad.cuda.seeding import seed as seed
from plugrad.cuda.seeding import seed_all as seed_all
from plugrad.cuda.seeding import set_rng_state as set_rng_state
from plugrad.cuda.seeding import set_rng_state_all as set_rng_state_all
from plugrad.cuda.streams import Event as Event
from plugrad.cuda.streams import Stream as Stream
from plugrad.cuda.streams import StreamContext as StreamContext
from plugrad.cuda.streams import current_stream as current_stream
from plugrad.cuda.streams import default_stream as default_stream
from plugrad.cuda.streams import set_stream as set_stream
from plugrad.cuda.streams import stream as stream
from plugrad.errors import OutOfMemoryError as OutOfMemoryError
