"""CUDA C on the CPU: what the stand-in's `RawModule` compiles its sources with."""
