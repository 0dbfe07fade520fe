"""torch's own cases for optimizers, run on exported ones: its error inputs, its configurations, and what it asks of all."""

from __future__ import annotations

import copy
import itertools
import pickle
from types import ModuleType
from typing import Any

import pytest
from rule_samples import info, rule

from evosearch.export import render

torch = pytest.importorskip("torch", reason="pip install 'evosearch[torch]'")
pytest.importorskip("expecttest", reason="torch's cases need it: pip install expecttest")
cases = pytest.importorskip("torch.testing._internal.common_optimizers", reason="this torch came without its test tools")


def exported(name: str) -> Any:
    module = ModuleType(f"exported_{name}")
    exec(compile(render(rule(name), "torch", info(name)), f"{name}.py", "exec"), module.__dict__)
    (only,) = module.__all__
    return getattr(module, only)


NAMES = ("lion", "adamw", "global")
CLASSES = {name: exported(name) for name in NAMES}


def inputs(device: Any, dtype: Any = None) -> list[Any]:  # noqa: ARG001 - torch's signature
    """Configurations as torch lists them for AdamW: global-friendly flags only."""
    return [
        cases.OptimizerInput(params=None, kwargs={}, desc="default"),
        cases.OptimizerInput(params=None, kwargs={"lr": 0.01}, desc="non-default lr"),
        cases.OptimizerInput(params=None, kwargs={"lr": torch.tensor(0.001)}, desc="Tensor lr"),
        cases.OptimizerInput(params=None, kwargs={"weight_decay": 0.1}, desc="weight decay"),
        cases.OptimizerInput(params=None, kwargs={"weight_decay": 0.1, "maximize": True}, desc="maximize"),
    ]


def errors(device: Any, dtype: Any) -> list[Any]:
    own = cases.OptimizerInput(params=None, kwargs={"lr": -1.0}, desc="negative lr")
    wrong = cases.ErrorOptimizerInput(own, error_type=ValueError, error_regex="must not be negative")
    return [*cases.get_error_inputs_for_all_optims(device, dtype), wrong]


INFOS = {
    name: cases.OptimizerInfo(
        optim_cls, optim_inputs_func=inputs, optim_error_inputs_func=errors, supported_impls=("foreach",),
        supports_complex=False, has_capturable_arg=name == "adamw",
        not_og_supported_flags=("foreach", "maximize", "capturable"),
    )
    for name, optim_cls in CLASSES.items()
}  # fmt: skip
every = pytest.mark.parametrize("optim_info", INFOS.values(), ids=INFOS.keys())


def configurations(optim_info: Any) -> list[Any]:
    return cases._get_optim_inputs_including_global_cliquey_kwargs("cpu", torch.float32, optim_info)


def problem(dtype: Any = torch.float32, seed: int = 0) -> tuple[Any, Any, Any]:
    """Parameters of a linear layer, and a closure that computes a loss and its gradients."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.nn.Parameter(torch.randn(10, 5, generator=generator).to(dtype))
    bias = torch.nn.Parameter(torch.randn(10, generator=generator).to(dtype))
    data = torch.randn(5, generator=generator).to(dtype)

    def loss() -> Any:
        weight.grad = bias.grad = None
        value = (weight @ data + bias).pow(2).sum()
        value.backward()
        return value

    return weight, bias, loss


@every
def test_errors(optim_info: Any) -> None:
    for wrong in optim_info.optim_error_inputs_func("cpu", torch.float32):
        given = wrong.optimizer_error_input
        params = [torch.nn.Parameter(torch.randn(1, 1))] if given.params is None else given.params
        if issubclass(wrong.error_type, Warning):
            with pytest.warns(wrong.error_type, match=wrong.error_regex):
                optim_info.optim_cls(params, **given.kwargs)
        else:
            with pytest.raises(wrong.error_type, match=wrong.error_regex):
                optim_info.optim_cls(params, **given.kwargs)


@every
def test_goes_in_the_right_direction_with_schedulers_and_groups(optim_info: Any) -> None:
    schedulers = itertools.cycle(itertools.chain.from_iterable(optim_info.scheduler_inputs))
    for config in configurations(optim_info):
        weight, bias, loss = problem()
        groups = [{"params": [weight]}, {"params": [bias], "lr": 0.02, "weight_decay": 0.0}]
        optimizer = optim_info.optim_cls(groups, **{"lr": 0.02, **config.kwargs})
        scheduler = next(schedulers)(optimizer)
        first = loss().item()
        for _ in range(20):
            value = optimizer.step(loss)
            on_plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
            scheduler.step(value.item()) if on_plateau else scheduler.step()
        assert (loss().item() > first) == bool(config.kwargs.get("maximize")), config


@every
def test_foreach_equals_tensor_by_tensor(optim_info: Any) -> None:
    for config, dtype in itertools.product(optim_info.optim_inputs_func("cpu"), (torch.float64, torch.float32, torch.bfloat16)):
        found = []
        for foreach in (False, True):
            weight, bias, loss = problem(dtype)
            optimizer = optim_info.optim_cls([weight, bias], **{**config.kwargs, "foreach": foreach})
            for _ in range(7):
                loss()
                before = [p.grad.clone() for p in (weight, bias)]
                optimizer.step()
                assert all(torch.equal(p.grad, grad) for p, grad in zip((weight, bias), before, strict=True))  # untouched
            found.append([weight.detach(), bias.detach(), *(s for p in (weight, bias) for s in optimizer.state[p].values())])
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_loaded_state_goes_on_identically(optim_info: Any, dtype: Any, tmp_path: Any) -> None:
    for config in configurations(optim_info):
        weight, bias, loss = problem(dtype)
        optimizer = optim_info.optim_cls([weight, bias], **config.kwargs)
        for _ in range(4):
            optimizer.step(loss)
        torch.save(optimizer.state_dict(), tmp_path / "state")
        other_weight, other_bias, other_loss = problem(dtype)
        with torch.no_grad():
            other_weight.copy_(weight), other_bias.copy_(bias)
        other = optim_info.optim_cls([other_weight, other_bias], **config.kwargs)
        other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
        for _ in range(4):
            optimizer.step(loss), other.step(other_loss)
        assert torch.equal(weight, other_weight) and torch.equal(bias, other_bias)
        for p, q in ((weight, other_weight), (bias, other_bias)):
            assert all(torch.equal(value, other.state[q][name]) for name, value in optimizer.state[p].items())
            assert all(value.dtype is torch.float32 for name, value in other.state[q].items())


@every
def test_states_of_older_files_and_of_other_rules(optim_info: Any) -> None:
    weight, bias, loss = problem()
    optimizer = optim_info.optim_cls([weight, bias])
    optimizer.step(loss)
    old = copy.deepcopy(optimizer.state_dict())
    for group, flag in itertools.product(old["param_groups"], ("maximize", "foreach", "capturable", "compiled")):
        group.pop(flag, None)
    optimizer.load_state_dict(old)
    optimizer.step(loss)
    assert optimizer.param_groups[0]["maximize"] is False and optimizer.param_groups[0]["foreach"] is None
    for stranger in (torch.optim.AdamW, *(one for one in CLASSES.values() if one is not optim_info.optim_cls)):
        given = stranger([weight, bias])
        given.step(loss)
        with pytest.raises(ValueError, match="state of another optimizer"):
            optimizer.load_state_dict(given.state_dict())


@every
def test_copies_hooks_and_missing_gradients(optim_info: Any) -> None:
    weight, bias, loss = problem()
    idle = torch.nn.Parameter(torch.ones(3))
    optimizer = optim_info.optim_cls([weight, idle, bias])
    optimizer.step(loss)
    assert torch.equal(idle.detach(), torch.ones(3)) and not optimizer.state.get(idle)
    double = copy.deepcopy(optimizer)
    assert {name for name in vars(double) if not name.startswith("_")} == {
        name for name in vars(optimizer) if not name.startswith("_")
    }
    called = []
    optimizer.register_step_pre_hook(lambda *_: called.append("pre"))
    optimizer.register_step_post_hook(lambda *_: called.append("post"))
    optimizer.register_load_state_dict_pre_hook(lambda _, given: {**given, "mark": called.append("load")})
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.step(loss)
    assert called == ["load", "pre", "post"]
    state = pickle.loads(pickle.dumps(optimizer.state_dict()))
    assert state["param_groups"] == optimizer.state_dict()["param_groups"]


@every
def test_tensor_lr_follows_its_value(optim_info: Any) -> None:
    for foreach, shape in itertools.product((False, True), ((), (1,))):
        found = []
        for lr in (0.05, torch.full(shape, 0.05, dtype=torch.float64)):
            weight, bias, loss = problem()
            optimizer = optim_info.optim_cls([weight, bias], lr=lr, foreach=foreach)
            for _ in range(3):
                optimizer.step(loss)
                group = optimizer.param_groups[0]
                group["lr"] = group["lr"] * 0.5
            found.append(weight.detach())
        torch.testing.assert_close(*found)


@every
def test_gradients_that_are_refused(optim_info: Any) -> None:
    embedding = torch.nn.Embedding(10, 3, sparse=True)
    embedding(torch.tensor([1, 2])).sum().backward()
    with pytest.raises(RuntimeError, match="does not support sparse gradients"):
        optim_info.optim_cls(embedding.parameters()).step()
    complex_one = torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))
    complex_one.grad = torch.ones(2, dtype=torch.complex64)
    with pytest.raises(RuntimeError, match="does not support complex"):
        optim_info.optim_cls([complex_one]).step()


@every
def test_clipping_and_grad_scaler(optim_info: Any) -> None:
    weight, bias, loss = problem()
    optimizer, scaler = optim_info.optim_cls([weight, bias], 0.02, 0.1), torch.amp.GradScaler("cpu", init_scale=1024.0)
    before = weight.detach().clone()
    for bad in (True, False):
        optimizer.zero_grad()
        loss()
        scale = scaler.scale(torch.ones(()))
        for p in (weight, bias):
            p.grad = p.grad * scale
        if bad:
            weight.grad[0, 0] = torch.inf
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_([weight, bias], 1.0)
        scaler.step(optimizer)
        scaler.update()
        assert torch.equal(weight.detach(), before) == bad


def test_steps_count_for_each_parameter() -> None:
    """A parameter that joins later has a step of its own, in one foreach batch with others."""
    found = []
    for foreach in (False, True):
        weight, bias, loss = problem()
        optimizer = CLASSES["adamw"]([weight], foreach=foreach)
        optimizer.step(loss)
        optimizer.add_param_group({"params": [bias]})
        optimizer.step(loss)
        assert [optimizer.state[p]["step"].item() for p in (weight, bias)] == [2.0, 1.0]
        found += [weight.detach(), bias.detach()]
    torch.testing.assert_close(found[:2], found[2:])


def test_sharded_tensors_are_refused_where_the_rule_sums() -> None:
    pytest.importorskip("torch.distributed.tensor", reason="this torch has no DTensor")
    import torch.distributed as dist
    from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    try:
        mesh = init_device_mesh("cpu", (2,))
        whole = torch.arange(8.0)
        for name, allowed in (("global", False), ("lion", True)):
            p = torch.nn.Parameter(distribute_tensor(whole, mesh, [Shard(0)]))
            p.grad = distribute_tensor(torch.ones(8), mesh, [Shard(0)])
            optimizer = CLASSES[name]([p], lr=0.5, weight_decay=0.0)
            if allowed:
                optimizer.step()
                assert torch.equal(p.to_local().detach(), whole[:4] - 0.5)
            else:
                with pytest.raises(RuntimeError, match="does not support sharded"):
                    optimizer.step()
    finally:
        dist.destroy_process_group()
