"""DEAP's genetic programming loop as a peer: trees compiled to Python functions by `gp.compile`, evaluated with NumPy."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from deap import base, gp, tools
from driving import Floats, Grown

POPULATION = 300
STEPS = 5
"""Of a fit, as many as Operon is given."""


class _Error(base.Fitness):  # type: ignore[misc]
    weights = (-1.0,)


class _Tree(gp.PrimitiveTree):  # type: ignore[misc]
    def __init__(self, content: Any) -> None:
        super().__init__(content)
        self.fitness = _Error()


def grow(fit: Floats, check: Floats, seconds: float, seed: int, operations: int, fitted: bool) -> Grown:
    """Search for `seconds` on one thread: tournaments of 5, one-point crossover, uniform mutation, 90% and 25%.

    Args:
        fit, check: (2, n) points and values, to fit at and to measure the error at.
        operations: most + - * / in a tree.
        fitted: whether each tree's constants are fitted in `STEPS` steps of Levenberg-Marquardt, else they only mutate.
    """
    random.seed(seed)
    primitives = _primitives(1)
    primitives.addEphemeralConstant("c", _constant)
    trees: list[Any] = [_Tree(gp.genHalfAndHalf(primitives, 1, 3)) for _ in range(POPULATION)]
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        for tree in trees:
            if not tree.fitness.valid:
                tree.fitness.values = (_score(tree, primitives, fit, fitted),)
                count += 1
        best = min(trees, key=lambda tree: tree.fitness.values[0])
        trees = [best, *_offspring(trees[1:], primitives, operations)]
    taken = time.process_time() - start
    sizes = np.array([sum(node.arity > 0 for node in tree) for tree in trees], np.int64)
    with np.errstate(all="ignore"):
        values = gp.compile(best, primitives)(check[0])
    return Grown(count, taken, sizes, float(np.max(np.abs(values - check[1]))))


def _primitives(inputs: int) -> Any:
    primitives = gp.PrimitiveSet("f", inputs)
    for function in (np.add, np.subtract, np.multiply, np.divide):
        primitives.addPrimitive(function, 2, name=function.__name__)
    return primitives


PARAMETRIC = _primitives(64)
"""For trees whose constants are inputs 1, 2, ..."""


def _constant() -> float:
    return random.gauss(0.0, 1.0)


def _offspring(trees: list[Any], primitives: Any, operations: int) -> list[Any]:
    """The next generation; a child with too many operations gives its place to its parent."""
    parents = [_copy(tree) for tree in tools.selTournament(trees, POPULATION - 1, 5)]
    children = [_copy(tree) for tree in parents]
    for first, second in zip(children[::2], children[1::2], strict=False):
        if random.random() < 0.9:
            gp.cxOnePoint(first, second)
            del first.fitness.values, second.fitness.values
    for child in children:
        if random.random() < 0.25:
            gp.mutUniform(child, lambda pset, type_: gp.genFull(pset, 0, 2, type_), primitives)
            del child.fitness.values
    small = [sum(node.arity > 0 for node in child) <= operations for child in children]
    return [child if fits else parent for child, fits, parent in zip(children, small, parents, strict=True)]


def _copy(tree: Any) -> Any:
    copy = _Tree(tree)
    copy.fitness.values = tree.fitness.values
    return copy


def _score(tree: Any, primitives: Any, fit: Floats, fitted: bool) -> float:
    """Mean squared error, after fitting where that is asked; infinite where it is not defined."""
    with np.errstate(all="ignore"):
        if fitted:
            _fit(tree, fit)
        error = float(np.mean((gp.compile(tree, primitives)(fit[0]) - fit[1]) ** 2))
    return error if np.isfinite(error) else np.inf


def _fit(tree: Any, fit: Floats) -> None:
    """Levenberg-Marquardt on the constants in place; the Jacobian is by forward differences, as DEAP has no derivatives."""
    places = [k for k, node in enumerate(tree) if isinstance(type(node), gp.MetaEphemeral)]
    p = len(places)
    if not 0 < p < len(PARAMETRIC.arguments):
        return
    residuals = _residuals(tree, places, fit)
    constants = np.array([tree[k].value for k in places])
    now, damping = residuals(constants), 1e-2
    for _ in range(STEPS):
        sizes = 1e-7 * np.maximum(np.abs(constants), 1e-3)
        jacobian = np.array([(residuals(constants + sizes * (np.arange(p) == k)) - now) / sizes[k] for k in range(p)])
        normal = jacobian @ jacobian.T
        if not np.isfinite(normal).all():
            return
        step = np.linalg.lstsq(normal + damping * np.diag(np.diag(normal) + 1e-12), -jacobian @ now, rcond=None)[0]
        trial = residuals(constants + step)
        better = bool(np.sum(trial**2) < np.sum(now**2))
        if better:
            constants, now = constants + step, trial
        damping *= 0.1 if better else 8.0
    for k, value in zip(places, constants.tolist(), strict=True):
        tree[k] = type(tree[k])()
        tree[k].value = value


def _residuals(tree: Any, places: list[int], fit: Floats) -> Callable[[Floats], Floats]:
    """The tree's residuals as a function of its constants; compiled once."""
    named = gp.PrimitiveTree(tree)
    for number, k in enumerate(places):
        named[k] = gp.Terminal(PARAMETRIC.arguments[number + 1], True, gp.__type__)
    function = gp.compile(named, PARAMETRIC)
    rest = [0.0] * (len(PARAMETRIC.arguments) - 1 - len(places))
    return lambda constants: np.asarray(function(fit[0], *constants.tolist(), *rest) - fit[1])
