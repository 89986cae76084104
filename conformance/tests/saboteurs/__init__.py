"""Backends that are wrong on purpose, each in one way, to see which question of the kit catches it.

`numbers`, `shapes`, `memory`, `users` and `circumstances` list them by hand; `mutants` and
`distortions` make them by the thousand from NumPy's kernels.
"""
