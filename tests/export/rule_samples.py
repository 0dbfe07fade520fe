"""Update rules for the tests of exporters."""

from __future__ import annotations

from evosearch.export import RuleInfo
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES

GLOBAL = """\
def train(w, g, v1, v2, lr):
    n = global_norm(g)
    c = cosine_sim(g, v1)
    v1 = interp(g, v1, 0.9)
    u = div(v1, n)
    u = mul(u, c)
    x = log1p(u)
    x = clip(x, 0.3)
    s = norm(x)
    x = mul(x, s)
    z = arcsin(lr)
    y = power(2.0, z)
    x = mul(x, y)
    q = max(x, -0.4)
    return q, v1, v2
"""
"""Sums over all tensors and over one, functions of lr, and a state that nothing depends on."""

SWAPPED = """\
def train(w, g, v1, v2):
    a = interp(g, v1, 0.5)
    return v2, v2, a
"""
"""Reads no lr; each state takes what the other held."""


def rule(name: str) -> Program:
    """A known rule, or GLOBAL or SWAPPED."""
    own = {"global": GLOBAL, "swapped": SWAPPED}
    return read_rule((own.get(name) or RULES[name]).strip(), OPTIMIZER)


def info(name: str) -> RuleInfo:
    return RuleInfo(f"{name}-1", 12, 1, "0.1.0", "evosearch run lion --seed 1", lr=3e-4)
