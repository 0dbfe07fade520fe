"""Batches of examples and what a network's loss and accuracy on them are, in torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from tasks.training.datasets import Array, Examples

AT_ONCE = 1024  # examples scored at once


class Batches:
    """Reads examples of one data set; windows of a text are given by their first characters."""

    def __init__(self, examples: Examples, context: int, batch: int) -> None:
        self._x, self._y = torch.from_numpy(examples.x), torch.from_numpy(examples.y)
        self._classes, self._batch = examples.classes, batch
        self._window = torch.arange(context + 1) if examples.x is examples.y else None

    def draws(self, part: Array, rng: np.random.Generator) -> Iterator[Tensor]:
        """Batches without end: the part in a new order each time round."""
        size = min(self._batch, len(part))
        while True:
            order = torch.from_numpy(rng.permutation(part))
            yield from torch.split(order[: len(order) // size * size], size)

    def loss(self, model: nn.Module, numbers: Tensor) -> Tensor:
        """Mean cross-entropy (natural logarithm), or mean squared error of a regression."""
        return self._loss_of(*self._outputs(model, numbers))

    def score(self, model: nn.Module, part: Array) -> tuple[float, float | None]:
        """Mean loss and share of right answers (None for a regression) over a part."""
        total, right = 0.0, 0.0
        with torch.no_grad():
            for numbers in torch.split(torch.from_numpy(part), AT_ONCE if self._window is None else AT_ONCE // 8):
                outputs, wanted = self._outputs(model, numbers)
                total += float(self._loss_of(outputs, wanted)) * len(numbers)
                if self._classes:
                    right += float((outputs.argmax(1) == wanted).double().mean()) * len(numbers)
        return total / len(part), (right / len(part) if self._classes else None)

    def _outputs(self, model: nn.Module, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """(n, classes) and (n,), with one row a character for a text."""
        if self._window is None:
            return model(self._x[numbers]), self._y[numbers]
        text = self._x[numbers[:, None] + self._window]
        return model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten()

    def _loss_of(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        if self._classes:
            return nn.functional.cross_entropy(outputs, wanted)
        return nn.functional.mse_loss(outputs[:, 0], wanted)
