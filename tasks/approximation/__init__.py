"""Approximation of a real function of one variable: the task, the functions known by name, and the points."""

from tasks.approximation.constraints import Constraint
from tasks.approximation.functions import FUNCTIONS, Known
from tasks.approximation.points import Points
from tasks.approximation.task import Approximation

__all__ = ["FUNCTIONS", "Approximation", "Constraint", "Known", "Points"]
