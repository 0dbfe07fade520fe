"""Weights as a .safetensors file (https://github.com/huggingface/safetensors), which needs no package to be written."""

from __future__ import annotations

import json

from evosearch.search.policies.member import Policy
from evosearch.search.policies.portable import Turned


def safetensors(policy: Policy, turned: Turned) -> bytes:
    """The state of the exported network, float32; the metadata has the genome."""
    parts, table, at = [], {}, 0
    for name, part in policy.layout.split(policy.weights()).items():
        if name in turned:
            shape, axes = turned[name]
            part = part.reshape(shape).transpose(axes).reshape(shape[axes[0]], -1)
        parts.append(part.astype("<f4").tobytes())
        table[name] = {"dtype": "F32", "shape": list(part.shape), "data_offsets": [at, at + len(parts[-1])]}
        at += len(parts[-1])
    genome = {} if policy.genome is None else {"__metadata__": {"genome": policy.genome.to_text(policy.layout)}}
    head = json.dumps({**genome, **table}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)  # the data is aligned
    return b"".join([len(head).to_bytes(8, "little"), head, *parts])
