"""Networks over images: their sizes, torch's results, the same bits alone and among others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evosearch.errors import TaskError
from evosearch.evolution.seeds import initial_weights
from tasks.networks.architecture import IMAGES, SIDE, Architecture, architecture
from tasks.networks.network import Network

ACTIONS = 18


def images(rng: np.random.Generator) -> Any:
    """Shapes on a background, as on a screen: float32 (IMAGES, SIDE, SIDE), oldest first."""
    found = np.full((IMAGES, SIDE, SIDE), rng.random(), np.float32)
    for image in found:
        y, x = rng.integers(0, SIDE - 20, 2)
        image[y : y + 20, x : x + 11] = rng.random((20, 11))
        image[-1, -1] = image[0, 0] = 1.0  # corners show how a convolution pads
    return found


def show(network: Network, pictures: Any, oldest: int, place: int) -> None:
    planes = network.planes()
    inside = slice(network.before, network.before + SIDE)
    for n, image in enumerate(pictures):
        planes[(oldest + n) % IMAGES, inside, inside] = image
    network.read(planes, oldest, place)


def by_torch(network: Network, net: Architecture, weights: Any, pictures: Any) -> Any:
    torch = pytest.importorskip("torch", reason="the reference is torch's")
    tensors = {name: torch.from_numpy(part) for name, part in network.layout.split(weights).items()}
    x = torch.from_numpy(pictures)[None]
    for n, stage in enumerate(net.stages(), start=1):
        after = stage.padded - stage.side - stage.before
        x = torch.nn.functional.pad(x, (stage.before, after, stage.before, after))
        x = torch.relu(torch.conv2d(x, tensors[f"conv{n}.weight"], tensors[f"conv{n}.bias"], stage.stride))
    x = torch.relu(x.permute(0, 2, 3, 1).flatten(1) @ tensors["hidden.weight"] + tensors["hidden.bias"])
    return (x @ tensors["output.weight"] + tensors["output.bias"]).numpy()[0]


@pytest.mark.parametrize(("name", "size"), [("deep-ga", 4_052_658), ("nature", 1_693_362)])
def test_the_kernel_is_the_network(name: str, size: int) -> None:
    net, rng = architecture(name), np.random.default_rng(1)
    network = Network(net, ACTIONS, 3)
    assert network.layout.size == size
    weights = initial_weights(3, network.layout)
    weights[weights == 0.0] = 0.1 * rng.normal(size=np.count_nonzero(weights == 0.0))  # biases
    network.load(weights)
    pictures = [images(rng) for _ in range(3)]
    for n, picture in enumerate(pictures):
        show(network, picture, oldest=n, place=n)
    together, chosen = network.features.copy(), network.decide(3)
    outputs = network.outputs.copy()
    for n, picture in enumerate(pictures):
        expected = by_torch(network, net, weights, picture)
        assert np.abs(outputs[n] - expected).max() < 1e-5 * np.abs(expected).max()
        assert chosen[n] == outputs[n].argmax()
        show(network, picture, oldest=3, place=0)
        assert network.features[0].tobytes() == together[n].tobytes()
        assert network.decide(1) == chosen[n : n + 1] and network.outputs[0].tobytes() == outputs[n].tobytes()


def test_outputs_that_are_not_finite_are_no_action() -> None:
    network = Network(architecture("nature"), ACTIONS, 1)
    weights = np.zeros(network.layout.size, np.float32)
    network.load(weights)
    network.read(network.planes(), 0, 0)
    assert network.decide(1) == [0]
    weights[-3] = np.nan
    assert network.decide(1) == [-1]


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(TaskError, match=r"no network 'natur'\. Did you mean 'nature'"):
        architecture("natur")
