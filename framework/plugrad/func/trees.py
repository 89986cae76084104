"""Trees: arguments and results that are tuples, lists and dicts of tensors, nested."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """What is not a tuple, list or dict, in order."""
    if isinstance(tree, (tuple, list)):
        return [leaf for branch in tree for leaf in leaves(branch)]
    if isinstance(tree, dict):
        return [leaf for branch in tree.values() for leaf in leaves(branch)]
    return [tree]


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same tree with `function` of each leaf."""
    if isinstance(tree, dict):
        return type(tree)({key: mapped(function, branch) for key, branch in tree.items()})
    if isinstance(tree, (tuple, list)):
        branches = [mapped(function, branch) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return function(tree)


def rebuilt(tree: Any, values: list[Any]) -> Any:
    """The same tree with these leaves."""
    left = iter(values)
    return mapped(lambda leaf: next(left), tree)


def spread(prefix: Any, tree: Any) -> list[Any] | None:
    """For each leaf of `tree` the leaf of `prefix` that stands at its place or above it.

    `None` if they do not fit. A tuple and a list fit each other.
    """
    if isinstance(prefix, dict):
        if not isinstance(tree, dict) or prefix.keys() != tree.keys():
            return None
        pairs = [(prefix[key], tree[key]) for key in tree]
    elif isinstance(prefix, (tuple, list)):
        if not isinstance(tree, (tuple, list)) or len(prefix) != len(tree):
            return None
        pairs = list(zip(prefix, tree, strict=True))
    else:
        return [prefix] * len(leaves(tree))
    found: list[Any] = []
    for below, branch in pairs:
        part = spread(below, branch)
        if part is None:
            return None
        found += part
    return found
