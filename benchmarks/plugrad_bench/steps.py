"""Training steps: forward, backward and the optimizer's update.

Weights are drawn by NumPy, so that both sides start alike; a step returns the loss before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from plugrad_bench import models
from plugrad_bench.inputs import Inputs
from plugrad_bench.models import CLASSES, VOCABULARY


@final
@dataclass(frozen=True, slots=True)
class Step:
    """`model` is made of the layers of a namespace, `optimizer` for its parameters, and `batch`
    drawn: inputs, and what `loss` compares the outputs with. The losses of a `random` step differ
    from side to side.
    """

    label: str
    model: Callable[[Any], Any]
    optimizer: Callable[[Any, Any], Any]
    batch: Callable[[Inputs], tuple[Any, Any]]
    random: bool = False
    loss: str = "CrossEntropyLoss"

    def begin(self, draw: Inputs) -> Callable[[], Any]:
        """A new model, as the function that does one step with it."""
        model, (inputs, targets) = start(self.model(draw.xp), draw), self.batch(draw)
        optimizer = self.optimizer(draw.xp.optim, model.parameters())
        loss_of = getattr(draw.xp.nn, self.loss)()

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


def adam(optim: Any, parameters: Any) -> Any:
    return optim.Adam(parameters, lr=1e-3)


def adamw(optim: Any, parameters: Any) -> Any:
    return optim.AdamW(parameters, lr=1e-3)


def rmsprop(optim: Any, parameters: Any) -> Any:
    return optim.RMSprop(parameters, lr=1e-3)


def sgd(optim: Any, parameters: Any) -> Any:
    return optim.SGD(parameters, lr=1e-3, momentum=0.9)


def images(draw: Inputs) -> tuple[Any, Any]:
    return draw.normal(32, 3, 32, 32), draw.below(CLASSES, 32)


def tokens(count: int, length: int) -> Callable[[Inputs], tuple[Any, Any]]:
    """Sequences, and what follows each of their tokens."""
    return lambda draw: (
        draw.below(VOCABULARY, count, length),
        draw.below(VOCABULARY, count * length),
    )


def reconstruction(draw: Inputs) -> tuple[Any, Any]:
    inputs = draw.normal(64, 784)
    return inputs, inputs


STEPS = (
    Step(
        "MLP, Adam", models.mlp, adam, lambda draw: (draw.normal(64, 64), draw.below(CLASSES, 64))
    ),
    Step(
        "digits CNN, Adam",
        models.digits_cnn,
        adam,
        lambda draw: (draw.normal(64, 1, 8, 8), draw.below(CLASSES, 64)),
        random=True,
    ),
    Step("CNN 3-32-64-128, SGD", models.cnn, sgd, images),
    Step("ResNet, SGD", models.resnet, sgd, images),
    Step("GPT, AdamW", lambda xp: models.transformer(xp, 64, 128, 4), adamw, tokens(16, 64)),
    Step("tiny GPT, AdamW", lambda xp: models.transformer(xp, 16, 32, 2), adamw, tokens(4, 16)),
    Step("LSTM, Adam", models.language_lstm, adam, tokens(32, 32)),
    Step("autoencoder, RMSprop", models.autoencoder, rmsprop, reconstruction, loss="MSELoss"),
    Step(
        "dilated Conv1d, Adam",
        models.dilated,
        adam,
        lambda draw: (draw.normal(16, 32, 256), draw.below(CLASSES, 16)),
        random=True,
    ),
    Step(
        "embedding bag, SGD",
        models.bag,
        sgd,
        lambda draw: (draw.below(10_000, 64, 50), draw.below(CLASSES, 64)),
    ),
)
