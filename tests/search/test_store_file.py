"""The store: one file, whole transactions, plain data."""

from __future__ import annotations

import dataclasses
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from toy_search import chain

from evosearch.errors import StoreError
from evosearch.language.text import parse
from evosearch.search.checkpoint import Checkpoint, decode, encode, from_parts, to_parts
from evosearch.search.evaluations import Evaluations, StoredEvaluation, pack, unpack
from evosearch.search.protocol import Entrant, Told
from evosearch.search.store import Store
from primitives.arithmetic import FIELD


def entrant(key: str, error: float = 0.5, parent: str | None = None) -> Entrant:
    return Entrant(key, chain(FIELD, 2, error), 2, error, {"error_real": error}, parent, ("insert", "copy"), 3)


def test_a_run_reads_back_with_lineage(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {"name": "toy"})
    store.record(0, Told((entrant("a"), entrant("b", 0.25, parent="a")), 7, 70, {"drawn": 9}))
    store.commit([b"{}"], {"evaluations": 7})
    store.close()
    store = Store.open(tmp_path)
    first, second = store.programs()
    assert (first.id, first.parent, second.id, second.parent) == (1, None, 2, 1)
    assert second.error == second.certified_error == 0.25 and second.operators == ("insert", "copy") and second.steps == 3
    assert parse(first.text, FIELD) == entrant("a").program
    assert store.meta() == {"name": "toy", "evaluations": 7}
    assert store.totals()["evaluations"] == 7
    assert {path.name for path in tmp_path.iterdir()} == {"run.sqlite", "run.lock"}


def test_what_is_told_again_keeps_its_id_and_lineage(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {})
    store.record(0, Told((entrant("a"), entrant("b", parent="a"))))
    store.record(1, Told((dataclasses.replace(entrant("b", 0.125), steps=9),)))
    store.commit([], {})
    _, second = store.programs()
    assert (second.id, second.error, second.parent, second.steps) == (2, 0.125, 1, 3)


def test_what_is_not_committed_is_not_there(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {})
    store.record(0, Told((entrant("a"),)))
    store.write_meta({"status": "interrupted"})
    store.close()
    store = Store.open(tmp_path)
    assert store.programs() == [] and store.meta() == {"status": "interrupted"}


def test_the_dump_leaves_out_wall_clocks_and_nothing_else(tmp_path: Path) -> None:
    def dump(name: str, seconds: float, told: Told, state: bytes = b"{}") -> str:
        store = Store.create(tmp_path / name, {"identity": {"seed": 1}, "seconds": seconds})
        store.record(0, told, seconds, seconds)
        store.commit([state], {"machine": name})
        return store.dump()

    reference = dump("a", 1.0, Told((entrant("a"),), 7, 70, {"drawn": 9}))
    assert dump("b", 2.0, Told((entrant("a"),), 7, 70, {"drawn": 9})) == reference
    assert dump("c", 1.0, Told((entrant("a", 0.5000000000000001),), 7, 70, {"drawn": 9})) != reference
    assert dump("d", 1.0, Told((entrant("a"),), 7, 70, {"drawn": 8})) != reference
    assert dump("e", 1.0, Told((entrant("a"),), 7, 70, {"drawn": 9}), b"[]") != reference


def rows(first: int, names: list[str]) -> Evaluations:
    """As many evaluations as names, of which every other one was not scored at its second stage."""
    count = len(names)
    return pack(
        function=np.arange(first, first + count, dtype=np.uint64) + np.uint64(2**63),
        rung=[n % 3 - 1 for n in range(count)],
        scores=[(n / 3.0, float("nan") if n % 2 else float("inf")) for n in range(count)],
        live=list(range(count)),
        operator=names,
        ancestor=[n % 2 for n in range(count)],
        work=[10**12 + n for n in range(count)],
        text=[f"line {n}\n\u00e4" for n in range(count)],
    )


def test_evaluations_read_back_in_the_order_of_telling(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {})
    store.record(4, Told(evaluated=rows(0, ["insert", "copy", "insert"])))
    store.record(5, Told())
    store.record(6, Told(evaluated=rows(3, ["start"])))
    store.commit([], {})
    kept = list(store.evaluations())
    assert [(one.id, one.slice, one.operator, one.live) for one in kept] == [
        (1, 4, "insert", 0), (2, 4, "copy", 1), (3, 4, "insert", 2), (4, 6, "start", 0)
    ]  # fmt: skip
    assert kept[1] == StoredEvaluation(
        2, 4, "8000000000000001", 0, (1 / 3,), 1, "copy", "0000000000000001", 10**12 + 1, "line 1\n\u00e4"
    )
    assert kept[0].scores == (0.0, float("inf")) and kept[0].ancestor == ""
    whole = rows(0, ["insert", "copy"])
    for cut in (len(whole.data) - 1, len(whole.data) // 2, 3):
        with pytest.raises((ValueError, struct.error)):
            list(unpack(Evaluations(whole.count, whole.data[:cut]), 0, 1))


def test_a_run_of_the_first_schema_goes_on(tmp_path: Path) -> None:
    Store.create(tmp_path, {}).close()
    old = sqlite3.connect(tmp_path / "run.sqlite")
    columns = "function, rung, scores, live, operator, ancestor, work, text"
    old.executescript(f"DROP TABLE evaluated; CREATE TABLE evaluations (id INTEGER PRIMARY KEY, slice, {columns})")
    old.execute("INSERT INTO evaluations VALUES (1, 0, '0a', 0, '[0.5]', 3, 'copy', '', 7, 'x')")
    old.execute("PRAGMA user_version=1")
    old.commit()
    old.close()
    first = StoredEvaluation(1, 0, "0a", 0, (0.5,), 3, "copy", "", 7, "x")
    assert list(Store.open(tmp_path).evaluations()) == [first]
    store = Store.open(tmp_path, writable=True)
    store.record(1, Told(evaluated=rows(0, ["start"])))
    store.commit([], {})
    kept = list(store.evaluations())
    assert kept[0] == first and (kept[1].id, kept[1].slice) == (2, 1)


def test_two_writers_are_kept_apart_and_readers_are_not(tmp_path: Path) -> None:
    writer = Store.create(tmp_path, {"name": "toy"})
    with pytest.raises(StoreError, match="is being written by another evosearch; wait for it or stop it"):
        Store.open(tmp_path, writable=True)
    reader = Store.open(tmp_path)
    writer.record(0, Told((entrant("a"),)))
    writer.commit([], {})
    assert len(reader.programs()) == 1
    writer.close()
    Store.open(tmp_path, writable=True).close()


def test_a_folder_without_a_run_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"holds no run \(there is no run.sqlite\)"):
        Store.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


ARRAYS = hnp.arrays(
    st.sampled_from([np.float64, np.int32, np.uint8, np.complex128, np.bool_]), hnp.array_shapes(min_side=0), fill=st.nothing()
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    ARRAYS,
    st.just(chain(FIELD, 2, 0.1)),
)
PLAIN = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.tuples(st.integers())), inner, max_size=3),
    ),
    max_leaves=8,
)


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))  # type: ignore[arg-type]
    return type(a) is type(b) and a == b


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_plain_data_goes_through_a_checkpoint_unchanged(state: dict[str, object]) -> None:
    assert same(decode(from_parts(to_parts(encode(state))), FIELD), state)


def test_a_checkpoint_holds_no_pickles_and_reads_none() -> None:
    with pytest.raises(TypeError, match="must be plain data, got function"):
        encode({"f": same})
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        encode({"a": np.array([same], dtype=object)})
    with pytest.raises(StoreError, match="the checkpoint cannot be read"):
        decode(Checkpoint('{"a": {"$npy": 0}}', (b"\x80\x05K\x01.",)), FIELD)
