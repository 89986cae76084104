"""PyTorch's calling conventions where they differ from the contracts: defaults, overloads,
keywords, lists of sizes.

Each function takes its tensor first, so that it is a method of Tensor as well.
"""
