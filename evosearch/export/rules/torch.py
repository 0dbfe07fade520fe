"""An update rule as a `torch.optim.Optimizer` in a file that stands alone."""

from __future__ import annotations

from evosearch.backends.arrays import Lowered, lower
from evosearch.backends.torch_source import Source, sums_over_all, torch_source
from evosearch.export.rules.info import RuleInfo, identity
from evosearch.export.rules.prepared import PreparedRule, prepare
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
    single, lists = (_body(lowered, prepared, foreach=foreach) for foreach in (False, True))
    in_turn = sums_over_all(lowered.program)
    flags = {
        "counted": prepared.reads_step,
        "in_turn": in_turn,
        "reduces": any(instruction.op.reduces for instruction in lowered.program.instructions),
        "math": "math." in single + lists,
    }
    fields = {
        **shared_fields(rule, prepared, info),
        "name": info.class_name,
        "identity": identity(rule),
        "flat": ", ".join(("p", "grad", *prepared.states)),
        "numbers": ", ".join(prepared.arguments[2 + len(prepared.states) :]),
        "update": single,
        "update_lists": lists,
    }
    return render(OPTIMIZER + CHECK_TORCH, flags, fields)


def _body(lowered: Lowered, prepared: PreparedRule, *, foreach: bool) -> str:
    source = torch_source(lowered, foreach=foreach)
    lines = list(source.lines)
    update = source.update
    if not prepared.own_decay:
        lines.append("if weight_decay:")
        lines.append(f"    {_decayed(source, foreach)}")
        if not source.owned:
            lines = [*lines[:-2], f"update = {update}", *lines[-2:]]
            update = "update"
    return indented([*lines, f"return {update}"])


def _decayed(source: Source, foreach: bool) -> str:
    """The statement that adds lr * weight_decay * w to the update."""
    if foreach:
        scaled = "torch._foreach_mul(w, lr * weight_decay)"
        inplace, new = f"torch._foreach_add_({source.update}, {scaled})", f"update = torch._foreach_add({scaled}, update)"
    else:
        scaled = "w * (lr * weight_decay)"
        inplace, new = f"{source.update}.add_({scaled})", f"update = {scaled} + update"
    return inplace if source.owned else new
