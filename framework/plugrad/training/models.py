"""Three models for images of 8x8 pixels in ten classes, (N, 1, 8, 8) to (N, 10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plugrad import nn
from plugrad.creation import zeros

SIDE = 8
CLASSES = 10


def mlp(width: int = 128) -> nn.Module:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(SIDE * SIDE, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(width, CLASSES),
    )


def cnn(channels: int = 16) -> nn.Module:
    """Three convolutions of 3x3, the image halved twice, then one linear layer."""
    return nn.Sequential(
        *_convolution(1, channels),
        *_convolution(channels, 2 * channels),
        nn.MaxPool2d(2),  # (N, 2c, 4, 4)
        *_convolution(2 * channels, 4 * channels),
        nn.MaxPool2d(2),  # (N, 4c, 2, 2)
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(16 * channels, CLASSES),
    )


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    # BatchNorm subtracts the mean, and with it any bias.
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU()]


class Block(nn.Module):
    """Attention among the tokens, then two linear layers on each, both on normalized input and
    added to it.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mixed = nn.Linear(width, width)
        self.before_layers = nn.LayerNorm(width)
        self.layers = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Any) -> Any:
        """(N, tokens, width) to the same shape."""
        x = x + self._attention(self.before_attention(x))
        return x + self.layers(self.before_layers(x))

    def _attention(self, x: Any) -> Any:
        N, T, D = x.shape
        parts = self.queries_keys_values(x).reshape(N, T, 3, self.heads, D // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)  # (N, heads, T, D / heads)
        seen = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.mixed(seen.transpose(1, 2).reshape(N, T, D))


class Transformer(nn.Module):
    """Each row of the image is a token, with a learned vector that says which row."""

    def __init__(self, width: int = 48, heads: int = 4, blocks: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Linear(SIDE, width)
        self.position = nn.Parameter(zeros(SIDE, width))
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Any) -> Any:
        """(N, 1, 8, 8) to (N, 10)."""
        tokens = self.embedding(x.squeeze(1)) + self.position
        return self.head(self.norm(self.blocks(tokens)).mean(1))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "cnn": cnn,
    "mlp": mlp,
    "transformer": Transformer,
}
