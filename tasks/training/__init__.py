"""Training small networks: the task of the search for update rules, its proxies, and the problems that judge winners."""

from tasks.training.data import Data
from tasks.training.nets import Model, Net
from tasks.training.proxy import Outcome, Proxy, train, train_rates
from tasks.training.task import Training

__all__ = ["Data", "Model", "Net", "Outcome", "Proxy", "Training", "train", "train_rates"]
