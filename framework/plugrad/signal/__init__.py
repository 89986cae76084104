"""Signals: `windows`."""

from plugrad.signal import windows as windows
