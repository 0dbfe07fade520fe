"""What a rule computes, as 64 bits: a few steps on made-up weights and gradients, rounded and hashed.

Rules that are equal by algebra get equal hashes, up to rounding errors (30 bits of each number are kept); rules that differ
where gradients are tiny, zero or huge, in the learning rate, in the number of the step, between tensors, get different ones.
After AutoML-Zero's functional equivalence cache (arXiv 2003.03384, section 3).
"""

from __future__ import annotations

from hashlib import blake2b
from types import ModuleType

import numpy as np

from evosearch.backends.array_vm import EncodedRule
from evosearch.backends.reference import Array

STEPS = (1.0, 2.0, 3.0, 50.0, 2000.0)
RATES = (0.1, 0.03, 0.001, 0.01, 0.0003)
_SIZES = (190, 1, 65)
"""Together one chunk of the interpreter. Fewer would not tell signs of two moving averages apart, which seldom differ."""
_SPECIAL = np.array([0.0, 1e-9, -1e-6, 3.0])
_DROPPED = 22
"""Bits of the mantissa that are rounded away."""


class Probe:
    """Runs rules on fixed numbers; kernels are those of `array_vm.load`."""

    def __init__(self, kernels: ModuleType, instructions: int, states: int) -> None:
        """For rules of at most so many instructions."""
        draw = np.random.default_rng(20230213)
        self._apply = kernels.apply_rule
        self._offsets = np.cumsum([0, *_SIZES])
        count = int(self._offsets[-1])
        self._weights = draw.normal(0.0, 0.3, count)
        scales = 10.0 ** draw.uniform(-3.0, 0.0, (len(STEPS), count))
        self._gradients = draw.normal(0.0, 1.0, (len(STEPS), count)) * scales
        self._gradients[:, : len(_SPECIAL)] = _SPECIAL * draw.choice([-1.0, 1.0], (len(STEPS), 1))
        self._regs = kernels.rule_registers(instructions, len(_SIZES))
        self._states = states

    def updates(self, rule: EncodedRule) -> Array | None:
        """The updates (steps, weights); None where a number is not finite."""
        weights, state = self._weights.copy(), np.zeros((self._states, len(self._weights)))
        updates = np.empty_like(self._gradients)
        for k, (step, rate) in enumerate(zip(STEPS, RATES, strict=True)):
            finite = self._apply(
                rule.code, rule.constants, rule.outputs, rule.depths, self._regs,
                weights, self._gradients[k], state, self._offsets, rate, step, updates[k],
            )  # fmt: skip
            if not finite:
                return None
            weights -= updates[k]
        return updates

    def key(self, rule: EncodedRule) -> int | None:
        """The hash; None where a number is not finite, so that rules that are not valid never share one."""
        updates = self.updates(rule)
        if updates is None:
            return None
        bits = (updates + 0.0).view(np.int64)  # -0 is 0
        kept = (bits + (1 << (_DROPPED - 1))) >> _DROPPED
        return int.from_bytes(blake2b(kept.tobytes(), digest_size=8).digest(), "little")
