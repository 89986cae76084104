"""The idioms of PyTorch's tutorials, run with the import changed and nothing else."""

from __future__ import annotations

import math

import pytest

import plugrad as torch
from plugrad import nn


class SwishFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        sig = x.sigmoid()
        y = x * sig
        ctx.save_for_backward(x, sig)
        return y

    @staticmethod
    def backward(ctx, grad_y):
        x, sig = ctx.saved_tensors
        return grad_y * (sig + x * sig * (1 - sig))


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


def curve() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.linspace(-math.pi, math.pi, 200)
    return x, torch.sin(x)


def test_a_custom_function_passes_gradcheck() -> None:
    x = torch.randn(5, requires_grad=True, dtype=torch.double)
    assert torch.autograd.gradcheck(SwishFn.apply, (x,), eps=1e-6, atol=1e-4, rtol=1e-3)


def test_weights_are_updated_by_hand_under_no_grad() -> None:
    x, y = curve()
    a = torch.randn((), requires_grad=True)
    b = torch.randn((), requires_grad=True)
    first = None
    for _ in range(200):
        loss = (a + b * x - y).pow(2).sum()
        first = loss.item() if first is None else first
        loss.backward()
        with torch.no_grad():
            a -= 1e-4 * a.grad
            b -= 1e-4 * b.grad
            a.grad = None
            b.grad.zero_()
    assert loss.item() < first
    assert b.item() == pytest.approx(12 / math.pi**2 / 4, abs=0.05)


def test_a_custom_function_is_trained_through() -> None:
    torch.manual_seed(1)
    x, y = curve()
    a, b, c, d = (torch.full((), v, requires_grad=True) for v in (0.0, -1.0, 0.0, 0.3))
    for _ in range(300):
        y_pred = a + b * LegendrePolynomial3.apply(c + d * x)
        loss = (y_pred - y).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            for weight in (a, b, c, d):
                weight -= 5e-5 * weight.grad
                weight.grad = None
    assert loss.item() < 12  # the best polynomial of this form leaves about 9


def test_a_sequential_model_is_trained_with_its_parameters() -> None:
    torch.manual_seed(0)
    x, y = curve()
    p = torch.tensor([1, 2, 3])
    xx = x.unsqueeze(-1).pow(p)
    model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
    loss_fn = torch.nn.MSELoss(reduction="sum")
    for _ in range(500):
        loss = loss_fn(model(xx), y)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for param in model.parameters():
                param -= 1e-5 * param.grad
    assert loss.item() < 30
    assert model[0].weight.shape == (1, 3)


class Polynomial3(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.randn(()))
        self.b = torch.nn.Parameter(torch.randn(()))
        self.c = torch.nn.Parameter(torch.randn(()))
        self.d = torch.nn.Parameter(torch.randn(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a + self.b * x + self.c * x**2 + self.d * x**3


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=1e-6, momentum=0.9),
        lambda p: torch.optim.Adam(p, lr=1e-2),
        lambda p: torch.optim.AdamW(p, lr=1e-2),
    ],
    ids=["SGD", "Adam", "AdamW"],
)
def test_the_optimizer_loop_learns(make) -> None:
    torch.manual_seed(0)
    x, y = curve()
    model = Polynomial3()
    criterion = torch.nn.MSELoss(reduction="sum")
    optimizer = make(model.parameters())
    losses = []
    for _ in range(300):
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 5


def test_the_linear_layer_of_the_documentation() -> None:
    m = nn.Linear(20, 30)
    input = torch.randn(128, 20)
    output = m(input)
    assert output.size() == torch.Size([128, 30])
    assert torch.allclose(output, input @ m.weight.T + m.bias, atol=1e-6)


def test_the_embedding_of_the_documentation() -> None:
    embedding = nn.Embedding(10, 3, padding_idx=0)
    input = torch.LongTensor([[1, 2, 4, 5], [4, 3, 2, 0]])
    output = embedding(input)
    assert output.shape == (2, 4, 3)
    assert torch.equal(output[1, 3], torch.zeros(3))
    output.sum().backward()
    assert embedding.weight.grad[4].tolist() == [2.0, 2.0, 2.0]
    assert embedding.weight.grad[0].tolist() == [0.0, 0.0, 0.0]


def test_a_convolutional_classifier_flattens_with_view() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 6, 5)
            self.pool = nn.MaxPool2d(2, 2)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.fc1 = nn.Linear(16 * 4 * 4, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.pool(nn.functional.relu(self.conv1(x)))
            x = self.pool(nn.functional.relu(self.conv2(x)))
            x = x.view(-1, 16 * 4 * 4)
            return nn.functional.log_softmax(self.fc1(x), dim=1)

    net = Net()
    loss = nn.functional.nll_loss(net(torch.randn(2, 1, 28, 28)), torch.tensor([3, 7]))
    loss.backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in net.parameters())
