"""Training steps: forward, backward and the optimizer's update, of models from either library's
layers.

Weights are drawn by NumPy, so that both sides start alike; a step returns the loss before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from plugrad_bench.inputs import Inputs

CLASSES = 10


@final
@dataclass(frozen=True, slots=True)
class Step:
    """`model` is made of the layers of a namespace, `optimizer` for its parameters, and `batch`
    drawn: inputs, and the class of each output. The losses of a `random` step differ from side to
    side.
    """

    label: str
    model: Callable[[Any], Any]
    optimizer: Callable[[Any, Any], Any]
    batch: Callable[[Inputs], tuple[Any, Any]]
    random: bool = False

    def begin(self, draw: Inputs) -> Callable[[], Any]:
        """A new model, as the function that does one step with it."""
        model, (inputs, targets) = start(self.model(draw.xp), draw), self.batch(draw)
        optimizer = self.optimizer(draw.xp.optim, model.parameters())
        loss_of = draw.xp.nn.CrossEntropyLoss()

        def step() -> Any:
            optimizer.zero_grad()
            loss = loss_of(model(inputs), targets)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step


def start(model: Any, draw: Inputs) -> Any:
    """The model with weights that are drawn; those of one axis stay."""
    with draw.xp.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                fan_in = parameter.numel() / parameter.shape[0]
                parameter.copy_(draw.normal(*parameter.shape) / fan_in**0.5)
            elif not parameter.eq(1).all():
                parameter.zero_()
    return model


def mlp(xp: Any) -> Any:
    nn = xp.nn
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, CLASSES)
    )


def convolution(nn: Any, inputs: int, outputs: int) -> list[Any]:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
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
    """Images of 32×32 in three colours, halved twice."""
    nn = xp.nn
    return nn.Sequential(
        *convolution(nn, 3, 32),
        nn.MaxPool2d(2),
        *convolution(nn, 32, 64),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 8 * 8, CLASSES),
    )


def transformer(
    xp: Any, tokens: int = 64, length: int = 32, width: int = 64, heads: int = 4
) -> Any:
    """Two blocks of causal attention; scores for the token after the last."""
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
            self.embedding = nn.Embedding(tokens, width)
            self.position = nn.Parameter(xp.zeros(length, width))
            self.blocks = nn.Sequential(Block(), Block())
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, tokens)

        def forward(self, x: Any) -> Any:
            seen = self.blocks(self.embedding(x) + self.position)
            return self.head(self.norm(seen)[:, -1])

    return Transformer()


def adam(optim: Any, parameters: Any) -> Any:
    return optim.Adam(parameters, lr=1e-3)


def sgd(optim: Any, parameters: Any) -> Any:
    return optim.SGD(parameters, lr=1e-3, momentum=0.9)


STEPS = (
    Step("MLP, Adam", mlp, adam, lambda draw: (draw.normal(64, 64), draw.below(CLASSES, 64))),
    Step(
        "digits CNN, Adam",
        digits_cnn,
        adam,
        lambda draw: (draw.normal(64, 1, 8, 8), draw.below(CLASSES, 64)),
        random=True,
    ),
    Step(
        "CNN 3-32-64, SGD",
        cnn,
        sgd,
        lambda draw: (draw.normal(32, 3, 32, 32), draw.below(CLASSES, 32)),
    ),
    Step(
        "transformer, Adam",
        transformer,
        adam,
        lambda draw: (draw.below(64, 16, 32), draw.below(64, 16)),
    ),
)
