"""`TorchProblem`: a network, its data and its schedule; trained in torch by any update rule. Torch is imported late."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evosearch.errors import ConfigError, MissingDependencyError, TaskError, nearest
from evosearch.evaluation.problems import Setting, Trained
from evosearch.language.program import Program
from tasks.training.datasets import Array, Examples, load

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tasks.training.torch_batches import Batches

MODELS = ("mlp", "conv", "vit", "transformer")
SCHEDULES = ("constant", "cosine", "linear")
SPLIT_SEED = 20230213
"""Of the one split into what may train and what tests; the same for all trainings."""

NO_TORCH = "validation and assessment train with torch; install it with: pip install 'evosearch[torch]'"
SPLITS_APART = 10_000  # between the seeds of two splits of a training
CHECK = 25  # steps between two looks at whether the loss is finite
CURVE = 512  # examples that a point of the curve is taken over

Step = Callable[["list[Tensor]", float, int], None]
"""Takes gradients, learning rate and step number (from 1), and changes the weights that it was made for."""


@dataclass(frozen=True)
class TorchProblem:
    """A network that is trained from scratch on real data.

    Attributes:
        name: unique in its suite.
        data: see `tasks.training.datasets.load`.
        model: one of `MODELS`.
        batch: examples, or windows of a text, a step.
        steps: at horizon 1.
        train, valid, test: examples (of a text: windows) in each part. The test part is the same for all seeds; the seed
            draws the others from the rest.
        widths: of the hidden layers (mlp), of the channels (conv); the first is the width of vit and transformer.
        depth, heads, patch: of vit and transformer.
        context: characters that a transformer sees.
        schedule: of the learning rate after its warm-up.
        warmup: share of the steps over which the learning rate rises linearly.
        splits: trainings that a result is the geometric mean of, each on a split of its own: of a set of a few hundred
            examples one split says little.
    """

    name: str
    data: str
    model: str
    batch: int
    steps: int
    train: int
    valid: int
    test: int
    widths: tuple[int, ...] = (32,)
    depth: int = 2
    heads: int = 4
    patch: int = 7
    context: int = 64
    schedule: str = "cosine"
    warmup: float = 0.05
    splits: int = 1

    def __post_init__(self) -> None:
        for kind, value, known in (("model", self.model, MODELS), ("schedule", self.schedule, SCHEDULES)):
            if value not in known:
                raise ConfigError(f"problem '{self.name}': unknown {kind} '{value}'.{nearest(value, known)}")
        if (self.model == "transformer") != self.data.startswith("text:"):
            raise ConfigError(
                f"problem '{self.name}': a transformer reads a text, and nothing else does; data is '{self.data}'"
            )
        if min(self.batch, self.steps, self.train, self.valid, self.test, self.splits) < 1:
            raise ConfigError(f"problem '{self.name}': batch, steps, train, valid, test and splits must be at least 1")

    def check(self) -> None:
        """TaskError where the data is missing, damaged or too small; MissingDependencyError without torch."""
        if importlib.util.find_spec("torch") is None:
            raise MissingDependencyError(NO_TORCH)
        self.parts(load(self.data), 0)

    def train_rule(self, rule: Program, setting: Setting) -> Trained:
        """Train from scratch with a rule; see `evosearch.evaluation.problems.Problem`."""
        from tasks.training.torch_step import rule_step

        return self.train_with(lambda weights: rule_step(rule, weights, setting.decay), setting)

    def train_with(self, make_step: Callable[[list[Tensor]], Step], setting: Setting) -> Trained:
        """Train from scratch with any step, such as one that drives a `torch.optim.Optimizer`."""
        torch = import_torch()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the same bits on any machine, and one worker a core
        try:
            with torch.random.fork_rng(devices=[]):
                return _mean([self._seeded(make_step, setting, split) for split in range(self.splits)])
        finally:
            torch.set_num_threads(threads)

    def _seeded(self, make_step: Callable[[list[Tensor]], Step], setting: Setting, split: int) -> Trained:
        import torch

        own = replace(setting, seed=setting.seed + SPLITS_APART * split)
        torch.manual_seed(own.seed)
        return self._train(make_step, own)

    def factor(self, step: int, steps: int) -> float:
        """What the schedule makes of the learning rate at a step from 1 to `steps`."""
        warm = max(1, round(self.warmup * steps))
        if step <= warm:
            return step / warm
        left = (steps + 1 - step) / (steps + 1 - warm)  # the last step still moves
        return {"constant": 1.0, "linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left)}[self.schedule]

    def parts(self, examples: Examples, seed: int) -> tuple[Array, Array, Array]:
        """Numbers of the examples (of a text: first characters of its windows) that train, tune and test."""
        if self.model == "transformer":
            return self._text_parts(len(examples.x), seed)
        count, copies = len(examples.x) // examples.copies, examples.copies
        train, valid, tested = (math.ceil(size / copies) for size in (self.train, self.valid, self.test))
        if examples.tested is None:
            order = np.random.default_rng(SPLIT_SEED).permutation(count)
            test, rest = order[:tested], order[tested:]
        else:
            test, rest = np.arange(examples.tested, count)[:tested], np.arange(examples.tested)
        if len(test) < tested or len(rest) < train + valid:
            raise TaskError(
                f"problem '{self.name}' wants more examples than '{self.data}' has ({len(examples.x)}); lower train or test"
            )
        rest = np.random.default_rng(seed).permutation(rest)

        def all_copies(originals: Array, size: int) -> Array:
            return (originals[:, None] * copies + np.arange(copies)).ravel()[:size]

        return (
            all_copies(rest[:train], self.train),
            all_copies(rest[train : train + valid], self.valid),
            all_copies(test, self.test),
        )

    def _text_parts(self, length: int, seed: int) -> tuple[Array, Array, Array]:
        """The last tenth of the text tests; of the rest the seed picks a tenth that tunes, and windows that train."""
        tenth, window = length // 10, self.context + 1
        if tenth < 2 * window:
            raise TaskError(f"problem '{self.name}': the text has {length} characters, too few for windows of {window}")
        rng = np.random.default_rng(seed)
        start = tenth * int(rng.integers(9))

        def windows(first: int, last: int, most: int) -> Array:
            return np.linspace(first, last - window, min(most, (last - first) // window)).astype(np.int64)

        firsts = np.arange(9 * tenth - window)
        outside = firsts[(firsts + window <= start) | (firsts >= start + tenth)]
        return (
            rng.permutation(outside)[: self.train],
            windows(start, start + tenth, self.valid),
            windows(9 * tenth, length, self.test),
        )

    def _train(self, make_step: Callable[[list[Tensor]], Step], setting: Setting) -> Trained:
        import torch

        from tasks.training.torch_batches import Batches

        examples = load(self.data)
        train, valid, test = self.parts(examples, setting.seed)
        model, batches = self._model(examples), Batches(examples, self.context, self.batch)
        weights = list(model.parameters())
        scored = valid if setting.part == "valid" else test
        start = [weight.detach().clone() for weight in weights]
        tracked = _Tracked(self, setting, model, batches, train, valid)
        tracked.run(make_step([weight.data for weight in weights]))
        loss, accuracy = batches.score(model, scored)
        count = sum(weight.numel() for weight in weights)
        if not (math.isfinite(loss) and all(bool(torch.isfinite(weight).all()) for weight in weights)):
            with torch.no_grad():
                for weight, first in zip(weights, start, strict=True):
                    weight.copy_(first)
            untrained, _ = batches.score(model, scored)
            return Trained("invalid", untrained, None, math.inf, tuple(tracked.curve), count, tracked.seconds)
        return Trained("ok", loss, accuracy, float(np.mean(tracked.recent)), tuple(tracked.curve), count, tracked.seconds)

    def _model(self, examples: Examples) -> nn.Module:
        from tasks.training import torch_models as models

        outputs = examples.classes or 1
        match self.model:
            case "mlp":
                return models.mlp(int(np.prod(examples.x.shape[1:])), self.widths, outputs)
            case "conv":
                return models.conv(examples.x.shape[1], self.widths, outputs)
            case "vit":
                return models.ViT(examples.x.shape[1], self.patch, self.widths[0], self.depth, self.heads, outputs)
            case _:
                return models.Transformer(outputs, self.context, self.widths[0], self.depth, self.heads)


def _mean(found: Sequence[Trained]) -> Trained:
    """Several trainings as one: geometric means of losses, valid where all are."""
    if len(found) == 1:
        return found[0]

    def mean(values: Sequence[float]) -> float:
        return math.exp(float(np.mean([math.log(max(value, 1e-12)) for value in values])))

    accuracies = [one.accuracy for one in found if one.accuracy is not None]
    curves = zip(*(one.curve for one in found), strict=False)  # one that broke off is shorter
    return Trained(
        status="ok" if all(one.status == "ok" for one in found) else "invalid",
        loss=mean([one.loss for one in found]),
        accuracy=float(np.mean(accuracies)) if len(accuracies) == len(found) else None,
        train_loss=mean([one.train_loss for one in found]),
        curve=tuple((points[0][0], mean([loss for _, loss in points])) for points in curves),
        weights=found[0].weights,
        seconds=sum(one.seconds for one in found),
    )


class _Tracked:
    """The steps of one training, with the last losses, the curve and the time."""

    def __init__(
        self, problem: TorchProblem, setting: Setting, model: nn.Module, batches: Batches, train: Array, valid: Array
    ) -> None:
        self._problem, self._setting, self._model, self._batches = problem, setting, model, batches
        self._train, self._valid = train, valid[:CURVE]
        self.recent: list[float] = []
        self.curve: list[tuple[int, float]] = []
        self.seconds = 0.0

    def run(self, update: Step) -> None:
        import torch

        problem, setting, model = self._problem, self._setting, self._model
        steps = max(1, round(problem.steps * setting.horizon))
        marks = {math.ceil(steps * k / setting.points) for k in range(1, setting.points + 1)} if setting.points else set()
        draws = self._batches.draws(self._train, np.random.default_rng(setting.seed + 1))
        weights = list(model.parameters())
        since = time.perf_counter()
        for step in range(1, steps + 1):
            loss = self._batches.loss(model, next(draws))
            update(list(torch.autograd.grad(loss, weights)), setting.lr * problem.factor(step, steps), step)
            if step > steps - max(1, steps // 10):
                self.recent.append(float(loss.detach()))
            if step % CHECK == 0 and not math.isfinite(float(loss.detach())):
                break
            if step in marks:
                self.seconds += time.perf_counter() - since
                self.curve.append((step, self._batches.score(model, self._valid)[0]))
                since = time.perf_counter()
        self.seconds += time.perf_counter() - since


def import_torch() -> Any:
    """The torch module; MissingDependencyError with the command that installs it."""
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(NO_TORCH) from None
    return torch
