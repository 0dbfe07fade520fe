"""Known update rules in disguise: other spellings, scales and names, with statements that do nothing or nearly nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from primitives.optimizer import OPTIMIZER

NEAR_IDENTITIES = ("tanh", "arcsin", "sinh", "arctan", "sin", "arcsinh")
"""Gradients here are small."""


class Disguise:
    """Statements of a rule over two states, one of them used for the first average."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.lines: list[str] = []
        self.states = ["v1", "v2"] if self.rng.random() < 0.5 else ["v2", "v1"]

    def one_of(self, *ways: Callable[[], str]) -> str:
        return ways[self.rng.integers(len(ways))]()

    def put(self, op: str, *args: object) -> str:
        """A statement, at times with a dead one before it."""
        if self.rng.random() < 0.3:
            self._assign(str(self.rng.choice(["cosh", "log", "square", "tan"])), "g" if args[0] == "lr" else args[0])
        return self._assign(op, *args)

    def _assign(self, op: str, *args: object) -> str:
        name = f"{'abcdxyz'[self.rng.integers(7)]}{len(self.lines)}"
        self.lines.append(f"{name} = {op}({', '.join(map(str, args))})")
        return name

    def factor(self) -> float:
        return float(f"{2.0 ** self.rng.uniform(-3.0, 3.0):.3g}")

    def scaled(self, x: str, factor: float) -> str:
        return self.one_of(lambda: self.put("mul", x, factor), lambda: self.put("mul", self.put("mul", x, 4.0), factor / 4.0))

    def same(self, x: str) -> str:
        """x, in another spelling."""
        c = self.factor()
        return self.one_of(
            lambda: x,
            lambda: self.put("add", x, 0.0),
            lambda: self.put("negative", self.put("negative", x)),
            lambda: self.put("mul", self.put("mul", x, c), 1.0 / c),
            lambda: self.put("sub", self.put("add", x, "w"), "w"),
            lambda: self.put("max", x, x),
        )

    def average(self, x: str, y: str, a: float) -> str:
        """(1 - a) x + a y."""
        return self.same(
            self.one_of(
                lambda: self.put("interp", x, y, a),
                lambda: self.put("interp", y, x, 1.0 - a),
                lambda: self.put("add", self.scaled(x, 1.0 - a), self.scaled(y, a)),
                lambda: self.put("add", y, self.scaled(self.put("sub", x, y), 1.0 - a)),
            )
        )

    def sign(self, x: str) -> str:
        return self.one_of(
            lambda: self.put("sign", self.scaled(x, self.factor())),
            lambda: self.put("div", x, self.put("sqrt", self.put("mul", x, x))),
            lambda: self.put("div", x, self.put("abs", self.same(x))),
            lambda: self.put("sign", self.put("tanh", x)),
            lambda: self.put("sign", self.put("mul", x, "lr")),
            lambda: self.put("sign", self.put("sign", self.put("cube", x))),
        )

    def root(self, x: str) -> str:
        c = self.factor()
        return self.one_of(
            lambda: self.put("sqrt", x),
            lambda: self.put("mul", self.put("sqrt", self.put("mul", x, c * c)), 1.0 / c),
            lambda: self.put("sqrt", self.put("abs", x)),
        )

    def gradient(self) -> str:
        """g, at times through what hardly changes it."""
        return self.one_of(
            lambda: "g",
            lambda: "g",
            lambda: self.put("clip", "g", 1.0),
            lambda: self.put(str(self.rng.choice(NEAR_IDENTITIES)), "g"),
        )

    def finished(self, u: str, decay: float, **new: str) -> Program:
        """With decay and lr, in units of its own."""
        c = self.factor()
        d = self.scaled("w", decay)
        rate = self.put("mul", "lr", c)
        minus = self.put("negative", rate)
        update = self.one_of(
            lambda: self.put("mul", self.put("add", u, d), rate),
            lambda: self.put("add", self.put("mul", u, rate), self.put("mul", d, rate)),
            lambda: self.put("sub", self.put("mul", u, rate), self.put("mul", minus, d)),
        )
        dead = self.put("cosh", update)
        outputs = ", ".join(new.get(state, dead) for state in ("v1", "v2"))
        body = "".join(f"    {line}\n" for line in self.lines)
        return read_rule(f"def train(w, g, v1, v2, lr):\n{body}    return {update}, {outputs}\n", OPTIMIZER)


def lion(seed: int, beta1: float = 0.9, beta2: float = 0.99, decay: float = 0.1) -> Program:
    """Lion in disguise; at times the two averages are a chain, as in the program that its authors found."""
    hidden = Disguise(seed)
    state, size = hidden.states[0], hidden.factor() * hidden.rng.choice([1.0, -1.0])
    g, before = hidden.gradient(), hidden.scaled(hidden.states[0], 1.0 / size)
    m = hidden.average(g, before, beta1)
    u = hidden.sign(m)
    after = hidden.one_of(lambda: hidden.average(g, before, beta2), lambda: hidden.average(g, m, beta2 / beta1))
    return hidden.finished(u, decay, **{state: hidden.scaled(after, size)})


def adamw(seed: int, decay: float = 0.1) -> Program:
    """AdamW without bias correction, in disguise."""
    hidden = Disguise(seed)
    (first, second), size = hidden.states, hidden.factor()
    m = hidden.average("g", hidden.scaled(first, 1.0 / size), 0.9)
    v = hidden.average(hidden.put("square", "g"), second, 0.999)
    u = hidden.put("div", m, hidden.root(v))
    return hidden.finished(u, decay, **{first: hidden.scaled(m, size), second: v})


def rmsprop(seed: int, decay: float = 0.1) -> Program:
    """RMSProp with decoupled decay, in disguise."""
    hidden = Disguise(seed)
    state = hidden.states[0]
    v = hidden.average(hidden.put("square", "g"), state, 0.99)
    u = hidden.put("div", "g", hidden.root(v))
    return hidden.finished(u, decay, **{state: v})
