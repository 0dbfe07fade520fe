"""The search for policies, on toy environments: the same run whatever the workers and cuts; elites, novelty, failures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_policies

import evosearch
from evosearch import api
from evosearch.cli import main
from evosearch.errors import EvosearchError
from evosearch.evaluation.pool import resolve
from evosearch.evolution.seeds import Genome, weights_hash
from evosearch.report.policies import remarks
from evosearch.search.algorithms import make_search
from evosearch.search.checkpoint import decode, encode
from evosearch.search.config import read_config
from evosearch.search.policies.breeding import archived
from evosearch.search.policies.decode import Decoder
from evosearch.search.policies.member import FRESH, chain
from evosearch.search.policies.novelty import novelty
from evosearch.search.protocol import Job, Told
from evosearch.search.store import Store

NOISY = [("task.noise", 0.5)]
LAYOUT = toy_policies.Hill().layout()


def start(folder: Path, budget: int = 200, overrides: Any = (), **more: Any) -> evosearch.Run:
    file = folder / "hill.toml"
    file.write_text(toy_policies.RUN)
    number = len(list(folder.glob("run-*")))
    return evosearch.run(file, budget=budget, overrides=overrides, out=folder / f"run-{number}", **{"workers": 0, **more})


def dump(run: evosearch.Run) -> str:
    store = Store.open(run.folder)
    try:
        return store.dump()
    finally:
        store.close()


@pytest.mark.parametrize("algorithm", ["ga", "novelty", "blend", "random", "es"])
def test_cuts_change_nothing(algorithm: str, tmp_path: Path) -> None:
    options = {"algorithm": algorithm, "overrides": NOISY}
    whole, cut = start(tmp_path, 200, **options), start(tmp_path, 47, **options)
    resumed = evosearch.resume(evosearch.resume(cut.folder, budget=110, workers=0).folder, budget=200, workers=0)
    assert dump(resumed) == dump(whole) != dump(start(tmp_path, 200, seed=2, **options))
    assert resumed.counters() == whole.counters()
    kept = whole.evaluations_kept()
    assert len(kept) >= whole.evaluations >= 200
    assert {one.operator for one in kept} == {
        "random": {"initial"}, "es": {"mutation", "mirror", "centre"}
    }.get(algorithm, {"initial", "mutation"})  # fmt: skip


@pytest.mark.parametrize("algorithm", ["blend", "es"])
def test_it_goes_on_from_its_state_after_any_result(algorithm: str, tmp_path: Path) -> None:
    file = tmp_path / "hill.toml"
    file.write_text(toy_policies.RUN)
    config = read_config(file, [*NOISY, ("search.algorithm", algorithm), ("task.failing", 0.02)])
    ops = config.load_ops()

    def walk(saved: bool) -> list[Told]:
        search, open_jobs, told = make_search(config, config.load_task(), ops, ""), list[Job](), list[Told]()
        for _ in range(60):
            while (job := search.ask()) is not None:
                open_jobs.append(job)
            told.append(search.tell(open_jobs[0], resolve(open_jobs[0].function)(**open_jobs[0].payload)))
            del open_jobs[0]
            if saved:  # what was asked and not told is asked again
                state = decode(encode(search.state()), ops)
                search, open_jobs = make_search(config, config.load_task(), ops, ""), []
                search.restore(state)
        return told

    straight, saved = walk(False), walk(True)
    assert repr(straight) == repr(saved) and any(one.entrants for one in straight)


def test_workers_change_nothing(tmp_path: Path) -> None:
    one, two = (start(tmp_path, 120, NOISY, workers=workers) for workers in (1, 2))
    assert dump(one) == dump(two) == dump(start(tmp_path, 120, NOISY))


def test_the_elite_is_chosen_by_validation_and_tested_apart(tmp_path: Path) -> None:
    run = start(tmp_path, 400, NOISY)
    counters, shown = run.counters(), run.show_json()
    generations = counters["generations"]
    assert generations == 20 and counters["frames training"] == 4000
    assert counters["frames validation"] == generations * 4 * 5 * 10  # 4 candidates, 5 episodes of 10 frames
    assert counters["frames test"] == len(run.programs) * 12 * 10
    assert shown["frames"] == {use: counters[f"frames {use}"] for use in ("training", "validation", "test")}
    assert run.totals["work"] == counters["frames training"] + counters["frames validation"]
    scores = [program.metrics["score"] for program in run.programs]
    assert scores == sorted(scores) and scores[-1] > -1.0
    best = run.front()[-1].metrics
    assert shown["solved"] is True and shown["test"] == best["test"]
    assert best["test"]["episodes"] == 12 and best["test"]["low"] < best["test"]["mean"] < best["test"]["high"]
    weights = run.load(run.front()[-1]).weights()
    true = -float(np.sum((weights.astype(np.float64) - 1.0) ** 2))
    assert abs(best["test"]["mean"] - true) < 0.25


def test_tests_after_the_last_generation_count(tmp_path: Path) -> None:
    first = start(tmp_path, 20, NOISY)
    assert first.counters()["frames test"] == len(first.programs) * 12 * 10 == 120
    more = evosearch.resume(first.folder, budget=60, workers=0)
    assert more.counters()["frames test"] == len(more.programs) * 12 * 10 > 120


def test_how_episodes_are_cut_into_jobs_changes_nothing(tmp_path: Path) -> None:
    whole, cut = start(tmp_path, 120, NOISY), start(tmp_path, 120, [*NOISY, ("search.batch", 2), ("search.chunk", 9)])
    assert cut.totals["slices"] > whole.totals["slices"]
    assert [(one.key, one.metrics) for one in cut.programs] == [(one.key, one.metrics) for one in whole.programs]
    assert [(one.function, one.scores) for one in cut.evaluations_kept()] == [
        (one.function, one.scores) for one in whole.evaluations_kept()
    ]


def test_truncation_climbs_and_novelty_spreads(tmp_path: Path) -> None:
    best = {name: start(tmp_path, 600, algorithm=name).front()[-1].metrics["score"] for name in ("ga", "random", "es")}
    assert best["ga"] > -0.5 > best["random"] and best["es"] > best["random"]
    spread = {}
    for name in ("ga", "novelty"):
        places = np.array([one.scores[1:] for one in start(tmp_path, 600, algorithm=name).evaluations_kept()])
        spread[name] = places[-100:].std()
    assert spread["novelty"] > 2.0 * spread["ga"]


def test_novelty_is_the_mean_distance_to_the_nearest() -> None:
    rng = np.random.default_rng(0)
    behaviour, archive = rng.normal(size=(20, 3)), rng.normal(size=(300, 3))
    behaviour[3, 1] = np.nan
    found = novelty(behaviour, archive, 4)
    others = np.vstack([archive, behaviour])
    for n, row in enumerate(behaviour):
        distances = np.delete(((others - row) ** 2).sum(axis=1), 300 + n)
        expected = np.sort(distances[~np.isnan(distances)])[:4].mean() if n != 3 else np.nan
        assert found[n] == pytest.approx(expected, nan_ok=True)
    assert np.isfinite(novelty(behaviour[:2], np.empty((0, 0)), 25)).all()


def test_a_child_costs_one_draw_and_is_what_its_genome_says(tmp_path: Path) -> None:
    genome = start(tmp_path, 200).front()[-1]
    whole = Genome.from_text(genome.json["genome"], LAYOUT)
    words = whole.words()
    decoder, draws = Decoder(LAYOUT, whole.sigma), []
    mutate = decoder.mutate
    decoder.mutate = lambda *args: (draws.append(args[1]), mutate(*args))  # type: ignore[method-assign,assignment,return-value,func-returns-value]
    for n in range(1, len(words) + 1):
        assert decoder.parent(words[:n].tobytes()).tobytes() == Genome(whole.sigma, whole.genes[:n]).weights(LAYOUT).tobytes()
    assert decoder.child(words[:-1].tobytes(), int(words[-1]), 1).tobytes() == whole.weights(LAYOUT).tobytes()
    assert draws == [*words[1:].tolist(), words[-1]]
    rows = np.array([[0, words[1], 1], [1, words[0], -1], [0, 7, 0], [0, 2**31 + 5, 1]])  # a parent as it is, another power
    parents = [words[:1].tobytes(), words.tobytes()]
    for each in (rows, np.vstack([rows, [[FRESH, 9, 1]]])):
        made = [weights.tobytes() for weights in decoder.children(parents, each)]
        assert made == [decoder.child(None if place < 0 else parents[place], *rest).tobytes() for place, *rest in each.tolist()]
    assert genome.key == chain(words)[-1].hex() and genome.metrics["weights"] == weights_hash(whole.weights(LAYOUT))


def test_runs_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ga, es = (start(tmp_path, 124, algorithm=algorithm) for algorithm in ("ga", "es"))
    first, second = api.compare([ga.folder, es.folder])["runs"]
    assert first["score"] == ga.front()[-1].metrics["score"] and first["test"]["mean"] == ga.show_json()["test"]["mean"]
    assert (first["algorithm"], second["algorithm"]) == ("ga", "es")
    assert main(["compare", str(ga.folder), str(es.folder)]) == 0
    heading, row, *_ = capsys.readouterr().out.splitlines()
    assert "test mean" in heading and f"{first['score']:.6g}" in row and "fitness" not in heading


def test_environments_that_raise_fail_their_candidate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = start(tmp_path, 200, [*NOISY, ("task.failing", 0.05)], algorithm="novelty")
    failed = run.counters()["failed episodes"]
    rows = run.evaluations_kept()
    lost = [one for one in rows if one.rung < 0]
    assert lost and failed > len(lost) and all(one.scores == () for one in lost)  # some failed in validation or test
    assert main(["show", str(run.folder)]) == 0
    out = capsys.readouterr().out
    assert f"{failed:.0f} episodes failed" in out and "an episode failed: RuntimeError: the motor is hot" in out
    assert run.show_json()["failed_episodes"] == failed
    for algorithm in ("ga", "blend", "es"):
        nothing = start(tmp_path, 62, [*NOISY, ("task.failing", 1.0)], algorithm=algorithm)
        assert nothing.evaluations >= 62 and nothing.front() == ()
    assert "8 episodes failed" in " ".join(remarks((), {"failed episodes": 8.0}, 1.0))  # in their first frames


def test_replay_rebuilds_any_ancestor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = start(tmp_path, 300, NOISY)
    best = run.front()[-1]
    folder, id = str(run.folder), str(best.id)
    assert main(["replay", folder, id]) == 0
    out = capsys.readouterr().out
    assert best.metrics["weights"] in out and out.count("as stored") == 2
    for genes in range(1, int(best.cost) + 1):
        assert main(["replay", folder, id, "--genes", str(genes)]) == 0
        assert "as stored" in (out := capsys.readouterr().out) and "DIFFERENT" not in out
    assert main(["inspect", folder, id, "-o", str(tmp_path / "scores.png")]) == 0
    out = capsys.readouterr().out
    assert f"genome {32 + 4 * best.cost:.0f} bytes for 32 bytes of weights" in out and best.json["genome"][:80] in out
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")

    assert main(["export", folder, id, "--to", "c"]) == 2
    assert "genome is a line of text" in capsys.readouterr().err

    store = Store.open(run.folder, writable=True)
    store._connection.execute("UPDATE programs SET metrics = json_set(metrics, '$.weights', 'abc') WHERE id = ?", (best.id,))
    store.close()
    assert main(["replay", folder, id]) == 1
    assert "DIFFERENT, stored abc" in capsys.readouterr().out
    edited = best.json["genome"][:-3] + ("AAA" if best.json["genome"][-3:] != "AAA" else "BBB")
    store = Store.open(run.folder, writable=True)
    store._connection.execute("UPDATE programs SET json = json_set(json, '$.genome', ?) WHERE id = ?", (edited, best.id))
    store.close()
    assert main(["replay", folder, id]) == 2
    assert re.search("edited|base64", capsys.readouterr().err)


def test_warm_start_and_goal(tmp_path: Path) -> None:
    first = start(tmp_path, 300)
    genome = tmp_path / "genome.txt"
    genome.write_text(first.front()[-1].text)
    again = start(tmp_path, 20, start=genome)
    begun = first.front()[-1]
    assert again.programs[0].text[:40] == begun.text[:40] or again.programs[0].cost == begun.cost + 1
    assert again.front()[-1].metrics["score"] > first.programs[0].metrics["score"]
    assert start(tmp_path, 5000, until="score>=-0.5").status == "goal"
    assert start(tmp_path, 5000, until="solved>=1").programs[-1].metrics["solved"]
    strategy = start(tmp_path, 40, start=genome, algorithm="es")
    assert strategy.evaluations_kept()[20].scores[0] == begun.metrics["score"]  # its first centre


def test_a_budget_of_frames_counts_training_and_validation(tmp_path: Path) -> None:
    run = start(tmp_path, "1000 frames", NOISY)  # type: ignore[arg-type]
    assert 1000 <= run.totals["work"] < 1000 + 4 * 5 * 10 + 20 * 10
    assert evosearch.resume(run.folder, budget="2k frames", workers=0).totals["work"] >= 2000


def test_the_archive_of_novelty_is_the_same_again(tmp_path: Path) -> None:
    settings: Any = start(tmp_path, 20).config.search
    marks = np.array([archived(settings, generation, 500) for generation in range(4)])
    assert (marks == [archived(settings, generation, 500) for generation in range(4)]).all()
    assert 0.15 < marks.mean() < 0.25 and (marks[0] != marks[1]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overrides": [("search.parents", 30)]}, "search.parents = 30 is more than search.population = 20"),
        ({"overrides": [("search.populaton", 3)]}, "Did you mean 'population'?"),
        ({"overrides": [("search.power", 0.0)]}, "search.power must be a positive number"),
        ({"overrides": [("search.population", 21)], "algorithm": "es"}, "even for antithetic pairs"),
        ({"overrides": [("search.population", 10**12)]}, "search.population must be at most 1000000, got 1000000000000"),
        ({"overrides": [("search.candidates", 1)]}, "search.candidates must be at least 2, the last elite and another"),
        ({"budget": "5 framez"}, 'frames of policies ("27.5M frames") or time'),
        ({"overrides": [("ops", "primitives.arithmetic:FIELD")]}, "leave ops out"),
        ({"overrides": [("search.start", "RVZTRwEAAADVpd5WDIeijM3MTD0")]}, "the start genome cannot be used"),
    ],
)
def test_bad_input_is_named(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(EvosearchError, match=re.escape(message)):
        start(tmp_path, **options)
    assert not list(tmp_path.glob("run-*"))
