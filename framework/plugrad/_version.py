"""The version, in one place: the build reads it here, `plugrad.__version__` re-exports it."""

__version__ = "0.1.0"
