"""`Training`: the [task] table of a run that searches for update rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evosearch.backends.array_vm import EncodedRule
from evosearch.errors import ConfigError, TaskError, nearest
from evosearch.language.op import OpSet
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from primitives.rules import RULES
from tasks.training.proxy import Outcome, Proxy, Step, prepare, train_rates, train_with

_BASELINES = ("adamw", "lion")
PROXIES = (
    Proxy("digits-narrow", "digits", "mlp", (24, 24), batch=16, steps=250, schedule="cosine", warmup=0.05),
    Proxy("digits-half", "digits-half", "mlp", (48, 48), batch=32, steps=150, schedule="cosine", warmup=0.05, examples=800),
    Proxy("genesis-char", "genesis", "char", (6, 8, 32), batch=32, steps=200, schedule="cosine", warmup=0.1, examples=512),
    Proxy("digits-conv-cosine", "digits", "conv", (8,), batch=32, steps=300, schedule="cosine", warmup=0.1),
    Proxy("digits-long", "digits", "mlp", (32,), batch=32, steps=800, schedule="cosine", warmup=0.05),
    Proxy("moved-deep", "moved-digits", "mlp", (48, 32), batch=32, steps=250, schedule="cosine", warmup=0.05, examples=512),
    Proxy("digits-conv", "digits", "conv", (8,), batch=16, steps=200),
    Proxy("digits-mlp", "digits", "mlp", (32,), batch=32, steps=250, schedule="linear"),
    Proxy("digits-wide", "digits", "mlp", (96,), batch=64, steps=200, schedule="cosine"),
    Proxy("moved-conv", "moved-digits", "conv", (8, 32), batch=32, steps=400, schedule="cosine", warmup=0.1, examples=512),
    Proxy("genesis-long", "genesis", "char", (8, 12, 64), batch=64, steps=600, schedule="linear", examples=1024),
)
"""Cheap ones first. Data, models, widths, batches, horizons, schedules and warm-ups differ. The first, at a fifteenth of its
steps and three rates, is a rung of some milliseconds; five, at all steps and some rates and seeds, one of about half a second.

The five that races use stand for what a training may be short of: nothing (digits-narrow), examples (digits-half), steps
(genesis-char), a good start (digits-conv-cosine), or for one that has enough of them (digits-long). Without the last and those
of few examples rules that start fast were bred, and lose where the end of a training decides."""


@dataclass(frozen=True)
class Training:
    """Small trainings on real data, in which an update rule shows what it is worth.

    With your own proxies, data or model: one file beside where you start `evosearch`, and `--set task.use=myfile:MyTraining`.
    Subclass, and return your proxies; each names data ("myfile:data") and a model ("myfile:MODEL") of yours or of ours::

        # myfile.py
        from dataclasses import dataclass
        import numpy as np
        from evosearch.backends.kernels import kernel
        from tasks.training import Data, Model, Net, Proxy, Training

        def data():                              # float32 rows, float32 labels 0, 1, 2; one row in five validates
            rows = np.loadtxt("mine.csv", delimiter=",", dtype=np.float32)
            return Data(np.ascontiguousarray(rows[:, 1:]), rows[:, 0].copy(), classes=3)

        @kernel                                  # loops, float32 arrays; compiled with the interpreter
        def logits(m, w, x, n, z, f): ...        # z[:n, :classes] from weights w (flat) and rows x[:n]

        @kernel
        def slopes(m, w, x, dz, n, g, f): ...    # g (flat, like w) from dz, after `logits` of the same rows

        def build(sizes, data, batch):
            inputs = data.x.shape[1]
            return Net(shapes=((inputs, data.classes),), bounds=(0.1,), sizes=np.array([inputs, data.classes]), room=1)

        MODEL = Model("myfile", build)

        @dataclass(frozen=True)
        class MyTraining(Training):
            def every(self):
                return (Proxy("mine", data="myfile:data", model="myfile:MODEL", sizes=(), steps=100),)

    Softmax, loss, accuracy, batches, splits and the checks on all of them stay evosearch's own.

    Attributes:
        states: arrays of state that a rule may keep.
        step: whether a rule knows the number of the step.
        only: names of the proxies to use, in this order; empty for all.
        validation: the suite that selects the winner, "module:function"; see `evosearch.evaluation.problems`.
        test: the suite that the winner is assessed on.
    """

    states: int = 2
    step: bool = True
    only: tuple[str, ...] = ()
    validation: str = "tasks.training.validation:suite"
    test: str = "tasks.training.families:suite"

    def __post_init__(self) -> None:
        if self.states < 0:
            raise ConfigError(f"task.states is how many arrays a rule keeps, 0 or more, got {self.states}")

    def proxies(self) -> Sequence[Proxy]:
        """Cheap ones first; the first is what rung 0 trains."""
        known = {proxy.name: proxy for proxy in self.every()}
        for name in self.only:
            if name not in known:
                raise ConfigError(f"task.only: there is no proxy '{name}'.{nearest(name, known)}")
        return tuple(known[name] for name in self.only or known)

    def every(self) -> Sequence[Proxy]:
        """All proxies that there are; what a task of your own overrides."""
        return PROXIES

    def inputs(self) -> tuple[int, bool]:
        """How many states a rule has, and whether it knows the number of the step."""
        return self.states, self.step

    def baselines(self, ops: OpSet) -> Mapping[str, Program]:
        """Rules that a candidate is measured against."""
        return {name: read_rule(RULES[name], ops) for name in _BASELINES}

    def train(self, proxy: Proxy, rule: EncodedRule, ops: OpSet, lr: float, seed: int, steps: int) -> Outcome:
        """Train from scratch; see `tasks.training.proxy.train`."""
        return self.train_rates(proxy, rule, ops, (lr,), seed, steps)[0]

    def train_rates(
        self, proxy: Proxy, rule: EncodedRule, ops: OpSet, rates: Sequence[float], seed: int, steps: int
    ) -> Sequence[Outcome]:
        """Train from scratch once a learning rate, all on the same batches; see `tasks.training.proxy.train_rates`."""
        return train_rates(proxy, rule, ops, rates, seed, steps)

    def train_with(self, proxy: Proxy, step: Step, ops: OpSet, lr: float, seed: int, steps: int) -> Outcome:
        """Train with a step in Python; see `tasks.training.proxy.train_with`."""
        return train_with(proxy, step, ops, lr, seed, steps)

    def check(self, ops: OpSet) -> None:  # noqa: ARG002
        """TaskError where data or a model is absent, corrupt or unfit; the message says what to do."""
        proxies = self.proxies()
        names = [proxy.name for proxy in proxies]
        if not proxies or len(set(names)) < len(names):
            raise TaskError(f"a task needs proxies of different names, got {names}")
        for proxy in proxies:
            prepare(proxy)

    def describe(self, ops: OpSet | None = None) -> str:
        """One line for people: "update rules of 2 states for 7 small trainings (digits, genesis, moved-digits)"."""
        proxies = self.proxies()
        data = ", ".join(sorted({proxy.data for proxy in proxies}))
        text = f"update rules of {self.states} states for {len(proxies)} small training{'s' * (len(proxies) > 1)} ({data})"
        return text if ops is None else f"{text}, {len(tuple(ops))} ops"
