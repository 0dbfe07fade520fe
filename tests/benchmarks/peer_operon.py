"""Operon (Burlacu et al. 2020) as a peer: tree genetic programming in C++ that fits every offspring by Levenberg-Marquardt."""

from __future__ import annotations

import functools
import operator
import time
from typing import Any

import numpy as np
from driving import Floats, Grown

POPULATION, POOL = 1000, 1000
OPTIMIZER_ITERATIONS = 5


def grow(fit: Floats, check: Floats, seconds: float, seed: int, length: int) -> Grown:
    """Search for `seconds` (Operon's are the clock's) on one thread with trees of at most `length` nodes.

    The wheel of pyoperon computes in float32. Mean squared error with linear scaling is its usual setting; the scaling is
    not counted as operations.

    Args:
        fit, check: (2, n) points and values, to fit at and to measure the error at.
    """
    import pyoperon as op

    data = op.Dataset(np.asfortranarray(fit.T))
    target = max(data.Variables, key=lambda variable: variable.Index)
    inputs = [variable.Hash for variable in data.Variables if variable.Hash != target.Hash]
    problem = op.Problem(data)
    problem.TrainingRange, problem.TestRange = op.Range(0, data.Rows), op.Range(data.Rows - 1, data.Rows)
    problem.Target, problem.InputHashes = target, inputs
    kinds = (op.NodeType.Add, op.NodeType.Sub, op.NodeType.Mul, op.NodeType.Div, op.NodeType.Constant, op.NodeType.Variable)
    problem.ConfigurePrimitiveSet(functools.reduce(operator.or_, map(int, kinds)))
    primitives = problem.PrimitiveSet

    creator = op.BalancedTreeCreator(primitives, inputs, 0.0)
    coefficients = op.NormalCoefficientInitializer()
    coefficients.ParameterizeDistribution(0, 1)
    trees = op.UniformLengthTreeInitializer(creator)
    trees.ParameterizeDistribution(3, length)
    trees.MinDepth, trees.MaxDepth = 1, 1000

    table = op.DispatchTable()
    evaluator = op.Evaluator(problem, table, op.MSE(), True)
    evaluator.Budget = 2**62
    comparison = op.SingleObjectiveComparison(0)
    selector = op.TournamentSelector(comparison)
    selector.TournamentSize = 5
    depth = 10
    mutations = [
        op.NormalOnePointMutation(),
        op.ChangeFunctionMutation(primitives),
        op.ReplaceSubtreeMutation(creator, coefficients, depth, length),
        op.InsertSubtreeMutation(creator, coefficients, depth, length),
        op.RemoveSubtreeMutation(primitives),
    ]
    mutations[0].ParameterizeDistribution(0, 1)
    mutation = op.MultiMutation()
    for one in mutations:
        mutation.Add(one, 1.0)
    crossover = op.SubtreeCrossover(0.9, depth, length)
    fitting = op.LMOptimizer(table, problem, OPTIMIZER_ITERATIONS, fit.shape[1])
    optimizer = op.CoefficientOptimizer(fitting)
    generator = op.BasicOffspringGenerator(evaluator, crossover, mutation, selector, selector, optimizer)
    reinserter = op.KeepBestReinserter(comparison)
    config = op.GeneticAlgorithmConfig(
        generations=10**9,
        max_evaluations=2**62,
        local_iterations=OPTIMIZER_ITERATIONS,
        population_size=POPULATION,
        pool_size=POOL,
        p_crossover=1.0,
        p_mutation=0.25,
        p_local=1.0,
        p_lamarck=1.0,
        seed=seed,
        max_time=max(1, round(seconds)),
    )
    search = op.GeneticProgrammingAlgorithm(config, problem, trees, coefficients, generator, reinserter)
    start = time.process_time()
    search.Run(op.RandomGenerator(np.uint64(seed)), None, 1, False)
    taken = time.process_time() - start
    individuals = list(search.Individuals)[:POPULATION]
    operations = np.array([_operations(individual.Genotype) for individual in individuals], np.int64)
    best = min(individuals, key=lambda individual: individual.GetFitness(0))
    return Grown(evaluator.CallCount, taken, operations, _error(best.Genotype, *check))


def _operations(tree: Any) -> int:
    """Inner nodes, and a multiplication for each variable, whose leaf has a weight."""
    return sum(1 for node in tree.Nodes if not node.IsLeaf or node.IsVariable)


def _error(tree: Any, x: Floats, y: Floats) -> float:
    """Largest error of a tree (its nodes are in postfix order) after linear scaling, in float64."""
    import pyoperon as op

    stack: list[Floats] = []
    with np.errstate(all="ignore"):
        for node in tree.Nodes:
            match node.Type:
                case op.NodeType.Variable:
                    stack.append(node.Value * x)
                case op.NodeType.Constant:
                    stack.append(np.full_like(x, node.Value))
                case kind:
                    first, second = stack.pop(), stack.pop()
                    stack.append(_ARITHMETIC[str(kind).split(".")[-1]](first, second))
        values = stack.pop()
        scale, offset = np.linalg.lstsq(np.column_stack((values, np.ones_like(x))), y, rcond=None)[0]
    return float(np.max(np.abs(scale * values + offset - y)))


_ARITHMETIC: dict[str, Any] = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
