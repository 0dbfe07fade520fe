"""An update rule as a `torch.optim.Optimizer` in a file that stands alone."""

from __future__ import annotations

from evosearch.backends.arrays import lower
from evosearch.backends.torch_source import Form, sums_over_all, torch_source
from evosearch.export.rules.info import RuleInfo, identity
from evosearch.export.rules.prepared import WEIGHT_DECAY, prepare
from evosearch.export.rules.selfcheck import CHECK_TORCH, shared_fields
from evosearch.export.rules.template import indented, render
from evosearch.export.rules.torch_template import OPTIMIZER
from evosearch.language.program import Program


def render_torch(rule: Program, info: RuleInfo) -> str:
    """The source of a module with one optimizer class.

    Raises:
        ProgramError: where the program is no update rule, or has an op that torch lacks.
        ExportError: for a rule that does not stay finite.
    """
    prepared = prepare(rule)
    lowered = lower(prepared.program)
    single, lists, kernel = (torch_source(lowered, form, "" if prepared.own_decay else WEIGHT_DECAY) for form in Form)
    in_turn = sums_over_all(lowered.program)
    flags = {
        "counted": prepared.reads_step,
        "in_turn": in_turn,
        "kernel": prepared.reads_step or not in_turn,
        "reduces": any(instruction.op.reduces for instruction in lowered.program.instructions),
        "math": any("math." in line for source in (single, lists, kernel) for line in [*source.lines, *source.numbers]),
    }
    fields = {
        **shared_fields(rule, prepared, info),
        "name": info.class_name,
        "identity": identity(rule),
        "flat": ", ".join(("p", "grad", *prepared.states)),
        "tensors": ", ".join(("w", "g", *prepared.states)),
        "numbers": ", ".join(prepared.arguments[2 + len(prepared.states) :]),
        "given": ", ".join(kernel.given),
        "update": indented(single.lines),
        "update_lists": indented(lists.lines),
        "update_kernel": indented(kernel.lines),
        "coefficients": indented([*kernel.numbers, f"return {', '.join(kernel.given)}{',' * (len(kernel.given) == 1)}"]),
    }
    return render(OPTIMIZER + CHECK_TORCH, flags, fields)
