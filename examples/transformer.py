"""A small transformer that learns to write, letter by letter, from Python's reference manual."""

from __future__ import annotations

from pydoc_data.topics import topics
from typing import Any

from common import Training, console, draw, options

import plugrad as pg
from plugrad import nn

LENGTH, WIDTH, HEADS, BLOCKS, BATCH = 64, 64, 4, 2, 32


class Writer(nn.Module):
    """Scores for the next letter after each of those given: (N, T) to (N, T, letters)."""

    def __init__(self, letters: int) -> None:
        super().__init__()
        self.letter = nn.Embedding(letters, WIDTH)
        self.place = nn.Embedding(LENGTH, WIDTH)
        block = nn.TransformerEncoderLayer(
            WIDTH,
            HEADS,
            4 * WIDTH,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.blocks = nn.TransformerEncoder(block, BLOCKS, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, letters)

    def forward(self, letters: Any) -> Any:
        """No letter sees those after it."""
        count = letters.shape[1]
        hidden = nn.Transformer.generate_square_subsequent_mask(count)
        x = self.letter(letters) + self.place(pg.arange(count))
        return self.head(self.norm(self.blocks(x, mask=hidden, is_causal=True)))


@pg.no_grad()
def continued(model: Writer, letters: Any, count: int) -> Any:
    """The letters (1, T) with so many more, each drawn from the model's distribution."""
    for _ in range(count):
        scores = model(letters[:, -LENGTH:])[:, -1] / 0.7
        letters = pg.cat([letters, pg.multinomial(scores.softmax(-1), 1)], 1)
    return letters


def main() -> None:
    """Train on passages of the manual, then write one."""
    chosen = options(__doc__ or "", steps=600)
    text = "\n".join(topics.values())
    alphabet = sorted(set(text))
    number = {letter: i for i, letter in enumerate(alphabet)}
    letters = pg.tensor([number[letter] for letter in text])
    model = Writer(len(alphabet))
    console.print(
        f"{len(text):,} letters, {len(alphabet)} of them different, "
        f"{sum(p.numel() for p in model.parameters()):,} parameters"
    )
    optimizer = pg.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = pg.optim.lr_scheduler.CosineAnnealingLR(optimizer, chosen.steps)

    training = Training(chosen.steps)
    for _ in training:
        starts = pg.randint(len(letters) - LENGTH, (BATCH, 1))
        passages = letters[starts + pg.arange(LENGTH + 1)]
        scores = model(passages[:, :-1])
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), passages[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        training.show(loss.item(), bits=loss.item() / 0.6931)

    model.eval()
    begun = "The statement "
    written = continued(model, pg.tensor([[number[letter] for letter in begun]]), 240)
    console.rule("what it writes")
    console.print("".join(alphabet[i] for i in written[0].tolist()), markup=False)
    console.rule()

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(training.history)
        axes.set(xlabel="step", ylabel="cross entropy of the next letter")
        axes.grid(alpha=0.3)

    draw(chosen.out / "transformer.png", paint)


if __name__ == "__main__":
    main()
