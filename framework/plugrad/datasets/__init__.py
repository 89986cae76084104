"""Data sets that ship with plugrad: small, free, and read from the package itself."""

from .digits import load_digits as load_digits
