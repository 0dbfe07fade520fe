"""Networks of convolutions and one hidden layer over a stack of 84 x 84 grey images: their shapes, and their flat weights.

"Deep Neuroevolution" (Such et al. 2017) pads as TensorFlow does ("SAME", one more below and to the right where the sum is odd),
so that its network has 4,052,658 weights with 18 actions; Mnih et al. (2015, "Human-level control through deep reinforcement
learning") do not pad ("VALID"), which leaves 1,693,362.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from evosearch.errors import TaskError, nearest
from evosearch.evolution.seeds import Layer, Layout

SIDE, IMAGES = 84, 4
LAST = 0.1
"""Scale of the last layer's initial weights beside 1 / sqrt(inputs)."""


@dataclass(frozen=True)
class Stage:
    """A convolution with max(0, .), from `inputs` channels of `side` x `side` to `filters` of `reached` x `reached`.

    Attributes:
        before: rows and columns of zeros above and to the left.
        padded: side with all zeros.
    """

    inputs: int
    side: int
    filters: int
    size: int
    stride: int
    before: int
    padded: int
    reached: int

    @property
    def fan_in(self) -> int:
        """Numbers that one output is a sum of."""
        return self.inputs * self.size * self.size


@dataclass(frozen=True)
class Architecture:
    """A network; images are its inputs, oldest first, as numbers from 0 to 1.

    Attributes:
        convolutions: filters, size and stride of each.
        same: whether sides are padded so that a stride of 1 keeps them.
        hidden: units between the convolutions and the outputs.
    """

    name: str
    convolutions: tuple[tuple[int, int, int], ...]
    same: bool
    hidden: int

    def stages(self) -> tuple[Stage, ...]:
        """The convolutions with their shapes."""
        found, side, channels = [], SIDE, IMAGES
        for filters, size, stride in self.convolutions:
            reached = -(-side // stride) if self.same else (side - size) // stride + 1
            more = max(0, (reached - 1) * stride + size - side) if self.same else 0
            found.append(Stage(channels, side, filters, size, stride, more // 2, side + more, reached))
            side, channels = reached, filters
        return tuple(found)

    @property
    def features(self) -> int:
        """Numbers that the hidden layer reads, as (row, column, channel)."""
        last = self.stages()[-1]
        return last.reached * last.reached * last.filters

    def layout(self, actions: int) -> Layout:
        """Convolutions as (out, in, height, width), the other two layers as (in, out); after each its biases, first 0."""
        layers = []
        for n, stage in enumerate(self.stages(), start=1):
            shape = (stage.filters, stage.inputs, stage.size, stage.size)
            layers += [Layer(f"conv{n}.weight", shape, 1.0 / math.sqrt(stage.fan_in))]
            layers += [Layer(f"conv{n}.bias", (stage.filters,), 0.0)]
        layers += [Layer("hidden.weight", (self.features, self.hidden), 1.0 / math.sqrt(self.features))]
        layers += [Layer("hidden.bias", (self.hidden,), 0.0)]
        layers += [Layer("output.weight", (self.hidden, actions), LAST / math.sqrt(self.hidden))]
        layers += [Layer("output.bias", (actions,), 0.0)]
        return Layout(tuple(layers))


_CONVOLUTIONS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
DEEP_GA = Architecture("deep-ga", _CONVOLUTIONS, same=True, hidden=512)
NATURE = Architecture("nature", _CONVOLUTIONS, same=False, hidden=512)


def architecture(name: str) -> Architecture:
    """The network of that name; TaskError with the names there are."""
    known = {one.name: one for one in (DEEP_GA, NATURE)}
    if name not in known:
        raise TaskError(f"there is no network '{name}'.{nearest(name, known)}")
    return known[name]
