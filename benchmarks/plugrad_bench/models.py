"""The models of the training steps, from either library's layers: of `xp`, a namespace."""

from __future__ import annotations

from typing import Any

CLASSES = 10
VOCABULARY = 256


def mlp(xp: Any) -> Any:
    nn = xp.nn
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, CLASSES)
    )


def autoencoder(xp: Any) -> Any:
    """784 numbers through 64 and back."""
    nn = xp.nn
    return nn.Sequential(
        *(nn.Linear(784, 256), nn.GELU(), nn.Linear(256, 64), nn.GELU()),
        *(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 784)),
    )


# images -------------------------------------------------------------------------------------------


def convolution(nn: Any, inputs: int, outputs: int, stride: int = 1) -> list[Any]:
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU()]


def digits_cnn(xp: Any, channels: int = 16) -> Any:
    """The cnn of `plugrad train digits`."""
    nn = xp.nn
    return nn.Sequential(
        *convolution(nn, 1, channels),
        *convolution(nn, channels, 2 * channels),
        nn.MaxPool2d(2),
        *convolution(nn, 2 * channels, 4 * channels),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(16 * channels, CLASSES),
    )


def cnn(xp: Any) -> Any:
    """Images of 32×32 in three colours, halved three times."""
    nn = xp.nn
    return nn.Sequential(
        *(*convolution(nn, 3, 32), nn.MaxPool2d(2)),
        *(*convolution(nn, 32, 64), nn.MaxPool2d(2)),
        *(*convolution(nn, 64, 128), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128 * 4 * 4, CLASSES)),
    )


def resnet(xp: Any) -> Any:
    """Images of 32×32 in three colours: three stages of two residual blocks, of 16 to 64 channels
    (K. He et al., arXiv 1512.03385, section 4.2).
    """
    nn = xp.nn

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            first, second = (
                convolution(nn, inputs, outputs, stride),
                convolution(nn, *[outputs] * 2),
            )
            self.layers = nn.Sequential(*first, *second[:2])
            self.shortcut = nn.Identity()
            if stride > 1:
                self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.relu = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.relu(self.layers(x) + self.shortcut(x))

    blocks = [
        Block(inputs, outputs, stride)
        for inputs, outputs, stride in (
            *((16, 16, 1), (16, 16, 1)),
            *((16, 32, 2), (32, 32, 1)),
            *((32, 64, 2), (64, 64, 1)),
        )
    ]
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES)
    return nn.Sequential(*convolution(nn, 3, 16), *blocks, *head)


# sequences ----------------------------------------------------------------------------------------


def transformer(xp: Any, length: int, width: int, depth: int, heads: int = 4) -> Any:
    """Blocks of causal attention: (N, length) tokens to the scores of what follows each, (N *
    length, VOCABULARY).
    """
    nn, functional = xp.nn, xp.nn.functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before_attention = nn.LayerNorm(width)
            self.queries_keys_values = nn.Linear(width, 3 * width)
            self.mixed = nn.Linear(width, width)
            self.before_layers = nn.LayerNorm(width)
            self.layers = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.before_attention(x))
            return x + self.layers(self.before_layers(x))

        def attention(self, x: Any) -> Any:
            N, T, D = x.shape
            parts = self.queries_keys_values(x).reshape(N, T, 3, heads, D // heads)
            query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)  # (N, heads, T, D / heads)
            seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            return self.mixed(seen.transpose(1, 2).reshape(N, T, D))

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, width)
            self.position = nn.Parameter(xp.zeros(length, width))
            self.blocks = nn.Sequential(*[Block() for _ in range(depth)])
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, VOCABULARY)

        def forward(self, x: Any) -> Any:
            seen = self.norm(self.blocks(self.embedding(x) + self.position))
            return self.head(seen).flatten(0, 1)

    return Transformer()


def language_lstm(xp: Any) -> Any:
    """Two layers of 128: (N, T) tokens to the scores of what follows each, (N * T, VOCABULARY)."""
    nn = xp.nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, 128)
            self.lstm = nn.LSTM(128, 128, 2, batch_first=True)
            self.head = nn.Linear(128, VOCABULARY)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(self.embedding(x))[0]).flatten(0, 1)

    return Model()


def dilated(xp: Any) -> Any:
    """Signals (N, 32, T): convolutions that see ever further, groups normalised, some dropped."""
    nn = xp.nn
    layers: list[Any] = []
    for dilation in (1, 2, 4, 8):
        layers += [
            nn.Conv1d(32, 32, 3, padding=dilation, dilation=dilation),
            *(nn.GroupNorm(4, 32), nn.ReLU(), nn.Dropout(0.1)),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, CLASSES))


def bag(xp: Any) -> Any:
    """The mean of 50 of 10,000 embeddings, then a layer."""
    nn = xp.nn
    return nn.Sequential(nn.EmbeddingBag(10_000, 64), nn.ReLU(), nn.Linear(64, CLASSES))
