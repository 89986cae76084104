"""Backends and PyTorch side by side: the same calls, in one process, in alternating rounds.

`rows` and `steps` say what is measured, `sides` on what, `clock` how; `results` keeps it, `table`
and `picture` draw it. `python -m plugrad_bench` and `plugrad bench` are the command.
"""
