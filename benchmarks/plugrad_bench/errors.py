"""What the command line got wrong."""

from __future__ import annotations


class MisuseError(Exception):
    """An option that makes no sense; the message is all that a user needs."""
