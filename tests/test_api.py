"""The API, with a toy search: the same whatever the workers, cut and extended."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_runs import workplace  # noqa: F401 - a fixture
from toy_search import ToySearch

import evosearch
from evosearch.errors import ConfigError, StoreError
from evosearch.search.loop import Progress
from evosearch.search.store import Store

pytestmark = pytest.mark.usefixtures("workplace")


def dump(folder: Path) -> str:
    store = Store.open(folder)
    try:
        return store.dump()
    finally:
        store.close()


def test_processes_cuts_and_names_change_nothing() -> None:
    whole = evosearch.run("exp2", budget=60, workers=0)
    two = evosearch.run("exp2", budget=60, workers=2, out="elsewhere")
    cut = evosearch.run("exp2", budget=20, workers=0)
    extended = evosearch.resume(cut.folder, budget=60, workers=1)
    other = evosearch.run("exp2", budget=60, workers=0, seed=2)
    assert dump(two.folder) == dump(extended.folder) == dump(whole.folder) != dump(other.folder)
    assert extended.folder == cut.folder and extended.evaluations == whole.evaluations
    assert extended.meta["command"] == whole.meta["command"] == "evosearch run exp2 --budget 60"


def test_an_observer_that_raises_leaves_a_run_that_goes_on() -> None:
    class Failing(evosearch.Observer):
        def progress(self, progress: Progress) -> None:
            if progress.slices == 7:
                raise RuntimeError("the notebook's own fault")

    with pytest.raises(RuntimeError):
        evosearch.run("exp2", budget=60, workers=0, observer=Failing())
    broken = evosearch.open("exp2-1")
    assert broken.status == "interrupted"
    resumed = evosearch.resume("exp2-1", workers=0)
    assert dump(resumed.folder) == dump(evosearch.run("exp2", budget=60, workers=0).folder)


def test_ctrl_c_while_the_workers_are_prepared_leaves_a_run_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToySearch, "warm", ("toy_search:ctrl_c", {}))
    run = evosearch.run("exp2", budget=20, workers=0)
    assert run.status == "interrupted" and run.evaluations == 0 and run.front() == ()
    monkeypatch.setattr(ToySearch, "warm", None)
    assert evosearch.resume(run.folder, workers=0).status == "budget"


def test_the_front_and_the_choice_of_a_program() -> None:
    run = evosearch.run("exp2", budget=60, workers=0)
    front = run.front()
    for program in run.programs:
        assert any(member.cost <= program.cost and member.error <= program.error for member in front)
    assert run.choose() == front[-1]
    assert run.choose(cost=front[1].cost + 0.5) == front[1]
    assert run.choose(max_error=front[0].error) == front[0]
    assert run.choose(front[0].id) == front[0]
    with pytest.raises(ConfigError):
        run.choose(1, cost=3)


def test_lineage_leads_to_the_start() -> None:
    run = evosearch.run("exp2", budget=60, workers=0)
    chain = run.lineage(len(run.programs))
    assert [program.id for program in chain] == list(range(len(run.programs), 0, -1))
    assert chain[-1].parent is None


def test_showing_a_run_imports_none_of_its_modules(workplace: Path) -> None:  # noqa: F811
    module = workplace / "own_function.py"
    module.write_text("def f(x, m):\n    return m.exp(x)\n")
    overrides = [("task.function", "own_function:f"), ("task.error", "relative")]
    run = evosearch.run("exp2", budget=20, workers=0, overrides=overrides)
    module.unlink()
    again = evosearch.open(run.folder)
    assert again.show_json() == run.show_json() and again.classical() == run.classical() != ()


def test_a_broken_run_does_not_hide_the_others() -> None:
    evosearch.run("exp2", budget=5, workers=0)
    evosearch.run("exp2", budget=5, workers=0)
    Path("runs/exp2-1/run.sqlite").write_bytes(b"")
    first, second = evosearch.list_runs()
    assert isinstance(first, StoreError) and isinstance(second, evosearch.Run)


def test_the_version_is_that_of_the_package() -> None:
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert f'version = "{evosearch.__version__}"' in project
