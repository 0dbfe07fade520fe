"""What a policy that is exported takes along from its task: its network in torch's words, and how it meets its environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from evosearch.search.policies.task import Weights

Turned = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True, eq=False)
class Carried:
    """A function whose source stands in the exported file, under its own name.

    It imports what it needs inside, and reads nothing else but its arguments and what `Portable` has besides.

    Attributes:
        keywords: further arguments of each call, as values that `repr` writes.
    """

    function: Callable[..., Any]
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, *args: Any) -> Any:
        """As in the exported file."""
        return self.function(*args, **self.keywords)


@dataclass(frozen=True, eq=False)
class Portable:
    """A policy without its task.

    Attributes:
        network: modules of a `torch.nn.Sequential` by name, as source such as "Linear(4, 2)"; the names of their parameters
            are those of the layout's tensors: "output.weight" belongs to the module "output".
        turned: matrices that torch has in another order, by name: the shape to see the layout's tensor in, and the order of its
            axes in torch, as in ((inputs, outputs), (1, 0)); all but the first of them are one axis there.
        precision: of the network's arithmetic, "float64" or "float32".
        inputs: observation -> the network's inputs as an array, without a batch dimension.
        action: outputs -> what the environment takes, from the network's outputs as an array.
        episode: (act, seed, show) -> the score of one episode; `show` takes pictures (height, width, 3), or is None.
        decide: observation -> (outputs, action), by the search's own network.
        helpers: functions that the carried ones call; `np` is there for all.
        constants: what they read, by name, as values that `repr` writes.
        needs: the command that installs what `episode` needs; "" for nothing.
    """

    network: Mapping[str, str]
    turned: Turned
    precision: str
    inputs: Carried
    action: Carried
    episode: Carried
    decide: Callable[[Any], tuple[NDArray[Any], Any]]
    helpers: tuple[Callable[..., Any], ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""


@runtime_checkable
class PortableTask(Protocol):
    """A task whose policies can be exported."""

    def portable(self, weights: Weights) -> Portable:
        """What a policy with these weights takes along."""
