"""One step of exported optimizers on 10M parameters in 100 tensors, beside torch's AdamW: `pytest -s` prints the table.

Goals on the CPU: not above torch's default; the compiled path within 1.5 times of `fused=True` for Lion's form.
"""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import pytest

from evosearch.export import RuleInfo, render
from evosearch.language.optimizer import read_rule
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES

torch = pytest.importorskip("torch", reason="pip install 'evosearch[torch]'")

TENSORS, SIZE, STEPS = 100, 100_000, 15


def exported(name: str) -> Any:
    module = ModuleType(name)
    text = render(read_rule(RULES[name].strip(), OPTIMIZER), "torch", RuleInfo(name))
    exec(compile(text, f"{name}.py", "exec"), module.__dict__)
    return getattr(module, module.__all__[0])


def milliseconds(optimizer_class: Any, **options: Any) -> float:
    """The fastest of some steps; the first ones warm up and compile."""
    params = [torch.nn.Parameter(torch.randn(SIZE)) for _ in range(TENSORS)]
    for p in params:
        p.grad = torch.randn(SIZE)
    optimizer = optimizer_class(params, **options)
    for _ in range(3):
        optimizer.step()
    found = []
    for _ in range(STEPS):
        start = time.perf_counter()
        optimizer.step()
        found.append(time.perf_counter() - start)
    return 1e3 * min(found)


@pytest.mark.parametrize("threads", [1, 2])
def test_step_against_torch(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        adamw, lion, own_adamw = torch.optim.AdamW, exported("lion"), exported("adamw")
        table = {
            "torch AdamW, default": milliseconds(adamw),
            "torch AdamW, foreach": milliseconds(adamw, foreach=True),
            "torch AdamW, fused": milliseconds(adamw, fused=True),
            "exported Lion": milliseconds(lion),
            "exported Lion, foreach": milliseconds(lion, foreach=True),
            "exported Lion, compiled": milliseconds(lion, compiled=True),
            "exported AdamW": milliseconds(own_adamw),
            "exported AdamW, foreach": milliseconds(own_adamw, foreach=True),
            "exported AdamW, compiled": milliseconds(own_adamw, compiled=True),
        }
    finally:
        torch.set_num_threads(before)
    default, fused = table["torch AdamW, default"], table["torch AdamW, fused"]
    print(f"\n{threads} thread(s), {TENSORS} tensors of {SIZE}: milliseconds a step, by torch's default, by its fused")
    for name, value in table.items():
        print(f"  {name:<28}{value:7.1f}{value / default:7.2f}{value / fused:7.2f}")
