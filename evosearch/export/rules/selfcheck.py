"""The last part of an exported optimizer: how it checks itself (`python FILE --verify`)."""

from __future__ import annotations

from evosearch.backends.arrays import literal
from evosearch.export.rules.info import RuleInfo, decay_note, header, rate_note
from evosearch.export.rules.prepared import PreparedRule
from evosearch.export.rules.runtime import source
from evosearch.export.rules.steps import RATE, SHAPES, TOLERANCE, reference_steps
from evosearch.export.rules.template import quoted
from evosearch.language.program import Program


def shared_fields(rule: Program, prepared: PreparedRule, info: RuleInfo) -> dict[str, str]:
    """The fields that all templates have, those below among them."""
    steps = reference_steps(rule)
    rows = "\n".join(_row(row) for row in steps.rows)
    return {
        "header": header(rule, info),
        "states": quoted(prepared.states),
        "rate_note": rate_note(prepared),
        "decay_note": decay_note(prepared),
        "lr": repr(info.lr if prepared.own_rate else 1.0),
        "decay": repr(prepared.decay),
        "rest": ", ".join(prepared.arguments[2:]),
        "shapes": repr(SHAPES),
        "steps": str(steps.steps),
        "rate": repr(RATE if prepared.own_rate else 1.0),
        "tolerance": literal(TOLERANCE),
        "reference": rows,
        "numbers_function": source("_numbers").rstrip(),
    }


def _row(numbers: tuple[float, ...]) -> str:
    lines, line = [], "        "
    for number in numbers:
        text = f" {number!r},"
        if len(line) + len(text) > 120:
            lines.append(line)
            line = "        "
        line += text if line.strip() else text[1:]
    return "\n".join(["    (", *lines, line, "    ),"])


_REFERENCE = '''\
# The self-check: python FILE --verify

_SHAPES, _STEPS, _LR = $shapes, $steps, $rate

# Weights after the first and the last step, then each state, by the language's reference in float64
_REFERENCE = (
$reference
)


$numbers_function


'''

_COMPARE = '''\
def _error(rows):
    """The largest difference from the reference, relative to the largest number of its row."""
    largest = 0.0
    for row, wanted in zip(rows, _REFERENCE, strict=True):
        size = max(max(map(abs, wanted)), 1e-300)
        for x, y in zip(row, wanted, strict=True):
            largest = max(largest, abs(x - y) / size if x == x else float("inf"))
    return largest


'''

_MAIN = '''\
if __name__ == "__main__":
    if sys.argv[1:] != ["--verify"]:
        print(f"usage: python {sys.argv[0]} --verify", file=sys.stderr)
        sys.exit(2)
    sys.exit(_verify())
'''

CHECK_TORCH = (
    _REFERENCE
    + _COMPARE
    + '''\
def _run(**options):
    """Weights and states as in the reference; half-way the optimizer is replaced by one that loads its state."""
    split = [torch.Size(shape).numel() for shape in _SHAPES]

    def tensors(step):
        parts = torch.tensor(_numbers(step, sum(split)), dtype=torch.float64).split(split)
        return [part.reshape(shape).clone() for part, shape in zip(parts, _SHAPES)]

    params, rows = tensors(0), []
    optimizer = $name(params, lr=_LR, **options)
    for step in range(1, _STEPS + 1):
        for p, grad in zip(params, tensors(step)):
            p.grad = grad
        optimizer.step()
        if step in (1, _STEPS):
            rows.append(torch.cat([p.flatten() for p in params]).tolist())
        if step == _STEPS // 2:
            saved = optimizer.state_dict()
            optimizer = $name(params, lr=_LR, **options)
            optimizer.load_state_dict(saved)
    return rows + [torch.cat([optimizer.state[p][name].flatten() for p in params]).tolist() for name in _STATES]


def _verify(paths):
    """Compare each path with the reference; 0 where all agree, else 1."""
    errors = {path: _error(_run(**options)) for path, options in paths.items()}
    for path, error in errors.items():
        verdict = "ok" if error <= $tolerance else "FAILED"
        print(f"$name, {path}: {_STEPS} steps, largest difference {error:.1e} (allowed $tolerance): {verdict}")
    return 0 if max(errors.values()) <= $tolerance else 1


if __name__ == "__main__":
    paths = {"tensor by tensor": {"foreach": False}, "foreach": {"foreach": True}}
#? counted
    paths["capturable"] = {"capturable": True}
#? end
#? in_turn
    if sys.argv[1:] != ["--verify"]:
        sys.exit(f"usage: python {sys.argv[0]} --verify")
#? else
    if sys.argv[1:] not in (["--verify"], ["--verify", "compiled"]):
        sys.exit(f"usage: python {sys.argv[0]} --verify [compiled]")
    if "compiled" in sys.argv:
        paths["compiled"] = {"compiled": True}
#? end
    sys.exit(_verify(paths))
'''
)

_VERIFY = '''\
def _verify():
    """Compare with the reference; 0 where they agree, else 1."""
    error = _error(_run())
    verdict = "ok" if error <= $tolerance else "FAILED"
    print(f"$name: {_STEPS} steps, largest difference {error:.1e} (allowed $tolerance): {verdict}")
    return 0 if error <= $tolerance else 1


'''

CHECK_NUMPY = (
    _REFERENCE
    + _COMPARE
    + '''\
def _run():
    """Weights and states as in the reference."""
    sizes = [int(np.prod(shape)) for shape in _SHAPES]

    def arrays(step):
        parts = np.split(np.array(_numbers(step, sum(sizes))), np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, _SHAPES)]

    weights, optimizer, rows = arrays(0), $name(lr=_LR), []
    for step in range(1, _STEPS + 1):
        optimizer.step(weights, arrays(step))
        if step in (1, _STEPS):
            rows.append(np.concatenate([w.ravel() for w in weights]).tolist())
    return rows + [np.concatenate([state[name].ravel() for state in optimizer.state]).tolist() for name in _STATES]


'''
    + _VERIFY
    + _MAIN
)

CHECK_LISTS = (
    _REFERENCE
    + _COMPARE
    + '''\
def _run():
    """Weights and states as in the reference."""
    sizes = [math.prod(shape) for shape in _SHAPES]

    def lists(step):
        numbers = iter(_numbers(step, sum(sizes)))
        return [[next(numbers) for _ in range(size)] for size in sizes]

    weights, optimizer, rows = lists(0), $name(lr=_LR), []
    for step in range(1, _STEPS + 1):
        optimizer.step(weights, lists(step))
        if step in (1, _STEPS):
            rows.append(sum(weights, []))
    return rows + [sum((state[name] for state in optimizer.state), []) for name in _STATES]


'''
    + _VERIFY
    + _MAIN
)

CHECK_OPTAX = (
    _REFERENCE
    + _COMPARE
    + '''\
def _run():
    """Weights and states as in the reference."""
    jax.config.update("jax_enable_x64", True)
    sizes = [math.prod(shape) for shape in _SHAPES]

    def tree(step):
        numbers = iter(_numbers(step, sum(sizes)))
        return [jnp.array([next(numbers) for _ in range(size)]).reshape(shape) for size, shape in zip(sizes, _SHAPES)]

    def row(leaves):
        return jnp.concatenate([leaf.ravel() for leaf in leaves]).tolist()

    params, optimizer, rows = tree(0), $name(_LR), []
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    for step in range(1, _STEPS + 1):
        updates, state = update(tree(step), state, params)
        params = optax.apply_updates(params, updates)
        if step in (1, _STEPS):
            rows.append(row(params))
    return rows + [row(getattr(state, name)) for name in _STATES]


'''
    + _VERIFY
    + _MAIN
)
