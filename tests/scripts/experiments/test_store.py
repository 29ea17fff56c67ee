"""The store keeps every finished run once, and names what is wrong with its file."""

import errno
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bilad.models import ArgumentError
from bilad.scripts.experiments import store as module
from bilad.scripts.experiments.run import failed
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.store import Store, open_existing


@pytest.fixture
def row(line):
    run = read_specification(line).runs[0]
    return replace(failed(run, "error", "error: nothing"), n=np.int64(3), own=np.float64(2.5))


def test_a_row_comes_back_as_it_was(tmp_path, row):
    with Store(tmp_path / "a" / "rows.sqlite") as store:
        assert store.add(row)
        assert not store.add(replace(row, own=7.0))  # the first row of a run is kept
        assert row.key in store
        assert "other" not in store
        assert store.finished([row.key, "other"]) == {row.key}
    with open_existing(tmp_path / "a" / "rows.sqlite") as store:
        (back,) = store.rows()
        assert store.rows(["other", row.key]) == [back] or np.isnan(back.bound)
    assert (back.n, back.own, type(back.n)) == (3, 2.5, int)
    assert np.isnan(back.bound)
    assert replace(back, **{"bound": 0.0}).line == replace(row, bound=0.0).line


def test_infinity_is_kept(tmp_path, row):
    with Store(None) as store:
        store.add(replace(row, own=np.inf))
        assert store.rows()[0].own == np.inf


def test_a_text_that_is_not_unicode_is_escaped(row):
    with Store(None) as store:
        store.add(replace(row, termination="error: no file \udcff"))
        assert store.rows()[0].termination == r"error: no file \udcff"


def test_a_store_that_is_removed_is_named(tmp_path, row):
    path = tmp_path / "rows.sqlite"
    with Store(path) as store:
        path.unlink()
        with pytest.raises(OSError, match="was removed") as error:
            store.add(row)
    assert error.value.filename == str(path)


def test_another_version_and_another_file_are_named(tmp_path, row):
    path = tmp_path / "rows.sqlite"
    with Store(path) as store:
        store.add(row)
        store._base.execute("PRAGMA user_version = 7")
    with pytest.raises(ArgumentError, match=r"rows\.sqlite of version 7, expected version 3"):
        Store(path)
    path.write_text("no database at all, but long enough for a header of one" * 10)
    with pytest.raises(OSError, match=r"not a store") as error:
        Store(path)
    assert error.value.filename == str(path)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as base:
        base.execute("CREATE TABLE mine (a)")
    base.close()
    with pytest.raises(ArgumentError, match="another database"):
        Store(other)
    with pytest.raises(ArgumentError, match="a store that"):
        open_existing(tmp_path / "none.sqlite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        Store(tmp_path / "folder")


@pytest.mark.parametrize(
    ("pragma", "number"),
    [("query_only = ON", errno.EROFS), ("max_page_count = 1", errno.ENOSPC)],
)
def test_a_read_only_and_a_full_disk_are_named_and_nothing_is_lost(tmp_path, row, pragma, number):
    path = tmp_path / "rows.sqlite"
    with Store(path) as store:
        store.add(row)
        store._base.execute(f"PRAGMA {pragma}")
        with pytest.raises(OSError, match=r"rows\.sqlite") as error:
            store.add(replace(row, key="b", history=f"[{'1,' * 50_000}1]"))
        assert error.value.errno == number
    with Store(path) as store:
        assert [one.key for one in store.rows()] == [row.key]


def test_a_file_that_cannot_grow_is_named_and_nothing_is_lost(tmp_path, row):
    """The limit of the size of a file stands in for a full disk."""
    resource = pytest.importorskip("resource")
    path, before = tmp_path / "rows.sqlite", resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = []

    def fill(store):
        for k in range(100):
            store.add(replace(row, key=f"{k:02}", history=f"[{'1,' * 5_000}1]"))
            kept.append(f"{k:02}")

    with Store(path) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            with pytest.raises(OSError, match="is the disk full") as error:
                fill(store)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert error.value.filename == str(path)
        assert store.add(replace(row, key="later"))
    with Store(path) as store:
        assert sorted(one.key for one in store.rows()) == [*kept, "later"]
        assert store._ask("PRAGMA integrity_check") == [("ok",)]


def test_a_locked_store_is_named(tmp_path, row, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    path = tmp_path / "rows.sqlite"
    with Store(path), sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with Store(path) as store, pytest.raises(OSError, match="locked") as error:
            store.add(row)
        assert error.value.errno == errno.EAGAIN
        other.execute("ROLLBACK")
    other.close()
    with Store(path) as store:
        assert store.add(row)


WRITER = """
import sys
from dataclasses import replace
from bilad.scripts.experiments.run import Row
from bilad.scripts.experiments.store import Store
number, path = int(sys.argv[1]), sys.argv[2]
from pathlib import Path
import pickle
row = pickle.load(open(sys.argv[3], "rb"))
with Store(Path(path)) as store:
    for k in range(50):
        store.add(replace(row, key=f"{number} {k}"))
        store.add(replace(row, key=f"common {k}"))
"""


@pytest.mark.slow
def test_four_processes_write_at_once(tmp_path, row):
    import pickle

    given, path = tmp_path / "row.pickle", tmp_path / "rows.sqlite"
    given.write_bytes(pickle.dumps(row))
    command = [sys.executable, "-c", WRITER]
    writers = [subprocess.Popen([*command, str(k), str(path), str(given)]) for k in range(4)]
    assert [writer.wait(timeout=300) for writer in writers] == [0] * 4
    with Store(path) as store:
        keys = [one.key for one in store.rows()]
        (sound,) = store._base.execute("PRAGMA integrity_check").fetchone()
    assert sound == "ok"
    assert len(keys) == len(set(keys)) == 250


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", b"\x80\x04"),
        ("solves", "1; DROP TABLE runs"),
        ("own", "__import__('os')"),
        ("own", b"1"),
        ("versions", "[]"),
        ("history", "os.system('x')"),
        ("eps", '["1", "x"]'),
        ("curve", "[[1.0, 2.0], [3.0]]"),
        ("options", "[" * 100_000),
    ],
)
def test_a_row_with_values_of_other_types_is_named(tmp_path, row, column, value):
    path = tmp_path / "rows.sqlite"
    with Store(path) as store:
        store.add(row)
        store._ask(f"UPDATE runs SET {column} = ?", [value])
        with pytest.raises(OSError, match=f"damaged: {column} is ") as error:
            store.rows()
        assert error.value.filename == str(path)


@pytest.mark.parametrize("text", [b"versions", b"corners"])  # a column, and a value
def test_a_text_with_a_damaged_byte_is_named(tmp_path, row, text):
    path = tmp_path / "rows.sqlite"
    with Store(path) as store:
        store.add(replace(row, label="corners"))
    path.write_bytes(path.read_bytes().replace(text, b"\xff" + text[1:]))
    with pytest.raises(OSError, match="decode") as error, Store(path) as store:
        store.rows()
    assert error.value.filename == str(path)
