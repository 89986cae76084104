"""Where the time of a plugrad program goes, operator by operator, on any backend.

    from plugrad_profiler import profile

    with profile() as prof:
        train_step()
    print(prof)
    prof.save_trace("step.json")  # for chrome://tracing or ui.perfetto.dev

While no `profile` is open nothing is installed, so that it costs nothing.
"""

from plugrad_profiler.recorder import Call as Call
from plugrad_profiler.recorder import Profile as Profile
from plugrad_profiler.recorder import profile as profile

__version__ = "0.1.0"
