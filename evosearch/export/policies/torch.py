"""A policy as a torch module in a file that stands alone: network, weights as seeds, how it meets its environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from evosearch.errors import ExportError
from evosearch.evolution.seeds import weights_hash
from evosearch.export.policies import generator, runtime
from evosearch.export.policies.info import TOLERANCES, PolicyInfo, recorded
from evosearch.export.policies.runtime import WIDTH, literal, packed, source
from evosearch.export.policies.template import LOAD, POLICY
from evosearch.export.python import docstring_rows, docstring_text
from evosearch.export.rules.template import indented, render
from evosearch.search.policies.member import Policy
from evosearch.search.policies.portable import Carried, Portable

_GENERATOR = (generator._quantiles, generator._words, generator._normals, generator._unfold)


def render_torch(policy: Policy, info: PolicyInfo) -> str:
    """The source of a module with the policy's network and `act`.

    Raises:
        ExportError: for weights without a genome where there is no file for them, or an episode that fails.
    """
    portable, genome = info.portable, policy.genome
    if genome is None and info.weights_file is None:
        raise ExportError("the weights of an evolution strategy have no genome; give them a file: --weights W.safetensors")
    inside = info.weights_file is None
    steps = recorded(portable, info.played)
    tensors = [f'("{layer.name}", {layer.shape}, {layer.scale!r}),' for layer in policy.layout.layers]
    outputs = "policy()(batch)[0].numpy()"
    fields = {
        "task": docstring_text(info.task),
        "rows": docstring_rows(info.summary()),
        "needs": portable.needs,
        "install": portable.needs or "pip install imageio",
        "modules": indented([f'("{name}", torch.nn.{made}),' for name, made in portable.network.items()], 2),
        "precision": portable.precision,
        "inputs": _call(portable.inputs, "observation"),
        "action": _call(portable.action, outputs),
        "episode": _call(portable.episode, "act", "seed", "show"),
        "tensors": indented(tensors),
        "turned": indented([f"{literal(name)}: {how}," for name, how in portable.turned.items()]),
        "hash": weights_hash(policy.weights()),
        "flat": "_unfold(_GENOME, _TENSORS)" if inside else "_load()",
        "damaged": "the genome was cut short or edited" if inside else f"{info.weights_file} holds other weights",
        "weights_file": info.weights_file or "",
        "weights_functions": _functions(_GENERATOR) if inside else LOAD,
        "environment": _environment(portable),
        "array_function": source(runtime._array),
        "thinned_function": source(runtime._thinned),
        "observations": packed(steps.observations),
        "outputs": packed(steps.outputs),
        "actions": packed(steps.actions),
        "tolerance": repr(TOLERANCES[portable.precision]),
        "episodes": str(info.episodes),
        "known": info.known,
    }
    if genome is not None:
        text = genome.to_text(policy.layout)
        fields |= {"genes": f"{len(genome.genes):,}", "power": f"{genome.sigma:g}"}
        fields["genome"] = indented([f'"{text[at : at + WIDTH]}"' for at in range(0, len(text), WIDTH)])
    return render(POLICY, {"genome": inside, "needs": bool(portable.needs)}, fields)


def _call(carried: Carried, *arguments: str) -> str:
    """The call of a carried function as source; arrays are constants of their own, which `_environment` writes."""
    given = carried.keywords.items()
    named = (f"{name}={_constant(name) if isinstance(value, np.ndarray) else literal(value)}" for name, value in given)
    return f"{carried.function.__name__}({', '.join([*arguments, *named])})"


def _constant(name: str) -> str:
    return name.upper()


def _functions(functions: Iterable[Callable[..., Any]]) -> str:
    return "\n\n".join(map(source, functions))


def _environment(portable: Portable) -> str:
    """The constants and functions that come from the task."""
    carried = (portable.inputs, portable.action, portable.episode)
    large = {_constant(name): one for each in carried for name, one in each.keywords.items() if isinstance(one, np.ndarray)}
    constants = [f"{name} = {literal(value)}" for name, value in {**portable.constants, **large}.items()]
    functions = (*portable.helpers, *(each.function for each in carried))
    return "\n".join([*constants, "", "", _functions(functions)] if constants else [_functions(functions)])
