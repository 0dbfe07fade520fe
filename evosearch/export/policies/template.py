"""The text of an exported policy; see `evosearch.export.rules.template` for its conditions.

Flags: genome (the weights are a list of seeds inside the file, else in a file beside it), needs (playing needs more).
"""

POLICY = '''\
"""A policy for $task, as a torch module.

$rows

`python FILE --verify` checks weights and actions against stored ones; `python FILE --play` plays episodes, `--gif PICTURE`
one of them as moving pictures.
#? needs
To play: $needs
#? end
"""

from __future__ import annotations

import argparse
import base64
import functools
import hashlib
#? genome
#? else
import json
import pathlib
#? end
#? genome
import statistics
#? end
import sys
import zlib
from collections import OrderedDict

import numpy as np
import torch

__all__ = ["act", "network", "policy"]


def network():
    """The network, with weights that torch draws."""
    modules = [
$modules
    ]
    return torch.nn.Sequential(OrderedDict(modules)).to(torch.$precision)


@functools.cache
def policy():
    """The network with this policy's weights, from a batch of inputs to its outputs."""
    module = network()
    module.load_state_dict(_tensors())
    return module.eval().requires_grad_(False)


def act(observation):
    """The action for an observation of the environment, as it gives it."""
    batch = torch.tensor(np.asarray($inputs), dtype=torch.$precision)[None]
    return $action


# The weights

_TENSORS = (  # name, shape, standard deviation of the initial weights
$tensors
)
_TURNED = {  # matrices that torch has in another order: the shape in which its axes are turned, and how
$turned
}
_HASH = "$hash"
#? genome

# The seeds of $genes mutations of power $power, the first of which is of the initial weights
_GENOME = (
$genome
)
#? else
_FILE = "$weights_file"
#? end


def _tensors():
    """The network's state; ValueError where the weights are not those of this policy."""
    flat = $flat
    if hashlib.sha256(flat.astype("<f4").tobytes()).hexdigest() != _HASH:
        raise ValueError("$damaged")
    tensors, first = {}, 0
    for name, shape, _scale in _TENSORS:
        part = flat[first : first + int(np.prod(shape))].reshape(shape)
        first += part.size
        if name in _TURNED:
            shape, axes = _TURNED[name]
            part = part.reshape(shape).transpose(axes).reshape(shape[axes[0]], -1)
        tensors[name] = torch.from_numpy(part.copy())
    return tensors


$weights_functions

$array_function

# The environment

$environment

# The self-check: python FILE --verify

# Steps of an episode by the network of the search: what it saw, its outputs, what it did
_OBSERVATIONS = $observations
_OUTPUTS = $outputs
_ACTIONS = $actions


def _verify():
    """Compare with the stored steps; 0 where outputs and actions are the same but for rounding, else 1."""
    try:
        policy()
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        print(f"FAILED: {error}")
        return 1
    print(f"{sum(x.numel() for x in policy().parameters()):,} weights: SHA-256 as stored")
    batch = np.array([$inputs for observation in _OBSERVATIONS])
    computed = policy()(torch.tensor(batch, dtype=torch.$precision)).numpy()
    acted = np.array([act(observation) for observation in _OBSERVATIONS])
    worst = 0.0
    for name, found, stored in (("outputs", computed, _OUTPUTS), ("actions", acted, _ACTIONS)):
        found, stored = found.astype(np.float64), stored.astype(np.float64)
        error = np.max(np.abs(found - stored)) / max(np.max(np.abs(stored)), 1e-30) if found.shape == stored.shape else np.inf
        worst = max(worst, error if error == error else np.inf)
        print(f"{name} of {len(stored)} steps: largest difference {error:.1e} (allowed $tolerance)")
    print("ok" if worst <= $tolerance else "FAILED")
    return 0 if worst <= $tolerance else 1


# Playing: python FILE --play


$thinned_function


def _play(episodes, first, picture):
    """Play episodes with seeds from `first` on and print their scores; one episode where it becomes a picture."""
    scores, film = [], _thinned(400)
    next(film)
    show = film.send if picture else None
    for seed in range(first, first + (1 if picture else episodes)):
        scores.append($episode)
        print(f"seed {seed}: score {scores[-1]:.6g}", flush=True)
    print(f"mean {np.mean(scores):.6g} of {len(scores)} episode{'s' * (len(scores) > 1)}")
    print("in the run $known")
    if picture:
        import imageio

        pictures = film.send(None)
        imageio.mimsave(picture, pictures, duration=1000 / 30, loop=0)
        print(f"{picture}: {len(pictures)} pictures")


def _whole(text):
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 0 on")
    return int(text)


def _main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verify", action="store_true", help="check weights and actions against stored ones")
    parser.add_argument("--play", nargs="?", const=$episodes, type=_whole, metavar="N", help="play N episodes, or $episodes")
    parser.add_argument("--seed", default=0, type=_whole, help="of the first episode")
    parser.add_argument("--gif", metavar="PICTURE", help="play one episode and write it as moving pictures")
    given = parser.parse_args()
    if given.verify:
        return _verify()
    if given.play is None and given.gif is None:
        parser.error("give --verify, --play or --gif PICTURE")
    try:
        _play(given.play or 1, given.seed, given.gif)
    except ImportError as error:
        print(f"playing needs more: {error}; install it with: $install", file=sys.stderr)
        return 2
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        print(f"playing failed: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main())
'''

LOAD = '''\
def _load():
    """The weights from the file beside this one, in the order of _TENSORS."""
    data = pathlib.Path(__file__).with_name(_FILE).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    table, parts = json.loads(data[8:start]), []
    for name, *_ in _TENSORS:
        low, high = table[name]["data_offsets"]
        part = np.frombuffer(data[start + low : start + high], "<f4")
        if name in _TURNED:
            shape, axes = _TURNED[name]
            part = part.reshape([shape[axis] for axis in axes]).transpose(np.argsort(axes)).ravel()
        parts.append(part)
    return np.concatenate(parts)
'''
