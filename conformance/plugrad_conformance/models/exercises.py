"""The exercises: what each model learns, from which data, and by which optimizer.

Options are chosen so that an error in them shows: an `eps` that matters, a schedule that moves,
weight decay, momenta other than the default.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import plugrad
from plugrad.datasets import load_digits
from plugrad.nn import functional as F
from plugrad.optim import SGD, Adam, AdamW
from plugrad.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    MultiStepLR,
    StepLR,
)
from plugrad_conformance.models import architectures
from plugrad_conformance.models.training import Exercise

NOT_SCORED = -100


def _draw(seed: int) -> np.random.RandomState:
    # The one generator of NumPy whose stream is promised never to change.
    return np.random.RandomState(seed)


# data ---------------------------------------------------------------------------------------------


def digits() -> tuple[Any, Any, Any, Any]:
    """Images (N, 1, 8, 8) and classes (N,): 1,024 to learn from, 256 held out."""
    with plugrad.device("numpy"):
        images, labels = (tensor.numpy() for tensor in load_digits())
    return images[:1024], labels[:1024], images[1024:1280], labels[1024:1280]


def waves() -> tuple[Any, Any, Any, Any]:
    """Sine waves (N, 16) of random frequency and phase, and each wave one step later."""
    draw = _draw(2)
    frequency, phase = draw.uniform(0.3, 1.2, (320, 1)), draw.uniform(0, 6.3, (320, 1))
    signals = np.sin(frequency * np.arange(17) + phase).astype(np.float32)
    now, next_ = signals[:, :-1], signals[:, 1:]
    return now[:256], next_[:256], now[256:], next_[256:]


def cycles() -> tuple[Any, Any, Any, Any]:
    """Tokens (N, 12) in which a random group of three repeats, and each next token, scored once the
    group is known.
    """
    tokens = np.tile(_draw(3).randint(0, 10, (640, 3)), (1, 5))[:, :13]
    now, next_ = tokens[:, :-1], tokens[:, 1:].copy()
    next_[:, :2] = NOT_SCORED
    return now[:512], next_[:512], now[512:], next_[512:]


def preferences() -> tuple[Any, Any, Any, Any]:
    """Pairs (N, 2) of a user below 500 and an item from 1 to 299, of whom 100 and 60 occur, and 1
    or 0: whether they agree in a hidden trait.
    """
    draw = _draw(4)
    users, items = draw.permutation(500)[:100], draw.permutation(299)[:60] + 1
    traits = draw.randint(0, 2, 500)
    pairs = np.stack([draw.choice(users, 6400), draw.choice(items, 6400)], 1)
    likes = (traits[pairs[:, 0]] == traits[pairs[:, 1]]).astype(np.float32)
    return pairs[:6144], likes[:6144], pairs[6144:], likes[6144:]


# losses and qualities -----------------------------------------------------------------------------


def _smoothed(scores: Any, classes: Any) -> Any:
    return F.cross_entropy(scores, classes, label_smoothing=0.1)


def _next_token(scores: Any, tokens: Any) -> Any:
    return F.cross_entropy(scores.flatten(0, 1), tokens.flatten(), ignore_index=NOT_SCORED)


def _share_right(scores: Any, classes: Any) -> Any:
    scored = classes != NOT_SCORED
    return ((scores.argmax(-1) == classes) & scored).sum() / scored.sum()


def _share_agreed(scores: Any, likes: Any) -> Any:
    return ((scores > 0) == (likes > 0.5)).sum() / len(likes)


def _share_explained(found: Any, true: Any) -> Any:
    return 1 - (found - true).square().sum() / true.square().sum()


EXERCISES = (
    Exercise(
        name="mlp",
        build=architectures.mlp,
        data=digits,
        loss=_smoothed,
        quality=_share_right,
        goal=0.85,
        optimizer=lambda p: SGD(p, lr=0.2, momentum=0.8, nesterov=True, weight_decay=1e-3),
        schedule=lambda o: StepLR(o, step_size=40, gamma=0.5),
        steps=120,
        batch=32,
    ),
    Exercise(
        name="cnn",
        build=architectures.cnn,
        data=digits,
        loss=F.cross_entropy,
        quality=_share_right,
        goal=0.85,
        optimizer=lambda p: AdamW(p, lr=2e-2, eps=1e-3, weight_decay=0.1),
        schedule=lambda o: CosineAnnealingLR(o, T_max=80),
        steps=60,
        batch=32,
    ),
    Exercise(
        name="kinked_cnn",
        build=architectures.kinked_cnn,
        data=digits,
        loss=F.cross_entropy,
        quality=_share_right,
        goal=0.85,
        optimizer=lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
        schedule=lambda o: MultiStepLR(o, milestones=(30, 50), gamma=0.3),
        steps=60,
        batch=32,
    ),
    Exercise(
        name="gru",
        build=architectures.Recurrent,
        data=waves,
        loss=F.smooth_l1_loss,
        quality=_share_explained,
        goal=0.9,
        optimizer=lambda p: Adam(p, lr=2e-2, betas=(0.8, 0.99), eps=1e-3, amsgrad=True),
        schedule=lambda o: ExponentialLR(o, gamma=0.99),
        steps=60,
        batch=16,
    ),
    Exercise(
        name="transformer",
        build=architectures.Transformer,
        data=cycles,
        loss=_next_token,
        quality=_share_right,
        goal=0.9,
        optimizer=lambda p: AdamW(p, lr=1e-2, betas=(0.9, 0.95), eps=1e-4),
        schedule=lambda o: LambdaLR(o, lambda step: min(1, (step + 1) / 10)),
        steps=80,
        batch=16,
    ),
    Exercise(
        name="embedding",
        build=architectures.Preferences,
        data=preferences,
        loss=F.binary_cross_entropy_with_logits,
        quality=_share_agreed,
        goal=0.8,
        optimizer=lambda p: SGD(p, lr=30.0),
        schedule=lambda o: StepLR(o, step_size=100, gamma=0.5),
        steps=200,
        batch=64,
        clip=10.0,
    ),
)
