"""The models: small enough to train in seconds, each of a kind that stresses other operators.

All but one are smooth, with GELU for ReLU and means for maxima: at a kink rounding decides which
way the gradient goes, and from there on no narrow band holds. The one with kinks has a wide band.
"""

from __future__ import annotations

from typing import Any

import plugrad
from plugrad import nn
from plugrad.nn import functional as F


def mlp() -> nn.Module:
    """Images (N, 1, 8, 8) to ten classes, with dropout."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 48),
        nn.GELU(),
        nn.Dropout(0.2),
        nn.Linear(48, 32),
        nn.Tanh(),
        nn.Linear(32, 10),
    )


def cnn() -> nn.Module:
    """Images (N, 1, 8, 8) to ten classes, with BatchNorm over images and over vectors."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.SiLU(),
        nn.Conv2d(8, 16, 3, padding=1, stride=2, groups=2),
        nn.BatchNorm2d(16, momentum=0.3),
        nn.GELU(approximate="tanh"),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 24),
        nn.BatchNorm1d(24),
        nn.Softplus(),
        nn.Linear(24, 10),
    )


def kinked_cnn() -> nn.Module:
    """Images (N, 1, 8, 8) to ten classes, with ReLU and the largest of each window."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout2d(0.1),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.GroupNorm(4, 16),
        nn.LeakyReLU(0.1),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


class GRUCell(nn.Module):
    """One step of a gated recurrent unit.

    K. Cho et al., Learning phrase representations using RNN encoder-decoder, arXiv 1406.1078, with
    the reset gate after the product, as in PyTorch.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.from_input = nn.Linear(inputs, 3 * width)
        self.from_state = nn.Linear(width, 3 * width)

    def forward(self, x: Any, h: Any) -> Any:
        """(N, inputs) and (N, width) to the next (N, width)."""
        reset, update, new = self.from_input(x).chunk(3, -1)
        h_reset, h_update, h_new = self.from_state(h).chunk(3, -1)
        keep = (update + h_update).sigmoid()
        new = (new + (reset + h_reset).sigmoid() * h_new).tanh()
        return keep * h + (1 - keep) * new


class Recurrent(nn.Module):
    """Signals (N, T) to a forecast of each next value, (N, T)."""

    def __init__(self, width: int = 20) -> None:
        super().__init__()
        self.start = nn.Parameter(plugrad.zeros(width))
        self.cell = GRUCell(1, width)
        self.head = nn.Linear(width, 1)

    def forward(self, x: Any) -> Any:
        """Step by step, from a learnt state."""
        h = self.start.expand(len(x), -1)
        found = []
        for value in x.unbind(1):
            h = self.cell(value.unsqueeze(1), h)
            found.append(h)
        return self.head(plugrad.stack(found, 1)).squeeze(-1)


class Block(nn.Module):
    """Causal attention, then two layers on each token; both on normalised input, and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.mixed = nn.Linear(width, width)
        self.before_layers = nn.LayerNorm(width)
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width)
        )

    def forward(self, x: Any) -> Any:
        """(N, T, width) to the same shape."""
        x = x + self._attention(self.before_attention(x))
        return x + self.layers(self.before_layers(x))

    def _attention(self, x: Any) -> Any:
        N, T, D = x.shape
        parts = self.queries_keys_values(x).reshape(N, T, 3, self.heads, D // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)  # (N, heads, T, D / heads)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.mixed(seen.transpose(1, 2).reshape(N, T, D))


class Transformer(nn.Module):
    """Tokens (N, T) to scores of each next token, (N, T, tokens)."""

    def __init__(self, tokens: int = 10, length: int = 12, width: int = 24) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.position = nn.Embedding(length, width)
        self.blocks = nn.Sequential(*[Block(width, 4) for _ in range(2)])
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head = nn.Linear(width, tokens)

    def forward(self, tokens: Any) -> Any:
        """Each position sees those before it."""
        places = plugrad.arange(tokens.shape[1], device=tokens.device)
        return self.head(self.norm(self.blocks(self.embedding(tokens) + self.position(places))))


class Preferences(nn.Module):
    """Pairs (N, 2) of a user and an item to the score (N,) that one likes the other.

    Large tables of which a batch reads few rows: the gradient, dense as all of plugrad's are, is 0
    in the others. Row 0 of the items is padding.
    """

    def __init__(self, users: int = 500, items: int = 300, width: int = 6) -> None:
        super().__init__()
        self.users = nn.Embedding(users, width)
        self.items = nn.Embedding(items, width, padding_idx=0)
        self.popularity = nn.Embedding(items, 1)

    def forward(self, pairs: Any) -> Any:
        """The product of the two rows, and the item's popularity."""
        users, items = pairs.unbind(1)
        score = (self.users(users) * self.items(items)).sum(-1)
        return score + self.popularity(items).squeeze(-1)
