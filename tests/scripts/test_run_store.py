"""Rows are written at once, by several processes; other files are whole or not written."""

import io
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass

import pytest
from rich.console import Console

from bilad.scripts.run_store import (
    ROWS,
    Output,
    RunStore,
    columns_of,
    merged,
)

NUMBER = ("number",)


@dataclass(frozen=True)
class Row:
    number: int = 7
    value: float = 2.0

    @property
    def line(self):
        return f"{self.number}: {self.value}"


WRITER = """
import sys, time
from pathlib import Path
from bilad.scripts.run_store import RunStore
table, first, go = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
print("ready", flush=True)
while not go.exists():
    time.sleep(0.001)
with RunStore(table, ["number", "text"], ["number"]) as log:
    for number in range(first, first + 50):
        log.add({"number": number, "text": "a, b\\n" * (number % 7)})
        time.sleep(0.001)
"""


@pytest.fixture
def small_files():
    """Limit files to 300 bytes, so that writing more fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def own_files(folder):
    return sorted((folder / ROWS).iterdir())


def test_rows_are_on_disk_at_once(tmp_path, rows_of):
    path = tmp_path / "new" / "some.csv"
    with RunStore(path, columns_of(Row), NUMBER) as log:
        log.add(asdict(Row()))
        (written,) = merged(path, NUMBER)
        assert (written["number"], float(written["value"])) == ("7", 2.0)
    (table,) = rows_of(path)
    assert list(table) == columns_of(Row)


def test_a_killed_part_keeps_its_rows(tmp_path, rows_of):
    def rows():
        yield Row()
        raise KeyboardInterrupt

    output = Output(tmp_path, Console(file=io.StringIO()))
    with pytest.raises(KeyboardInterrupt):
        output.collect("grid", rows(), Row, NUMBER)
    assert len(rows_of(tmp_path / "grid.csv")) == 1


def test_processes_that_write_at_the_same_time_lose_nothing(tmp_path, rows_of):
    table, go = tmp_path / "some.csv", tmp_path / "go"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(table), str(50 * k), str(go)], stdout=subprocess.PIPE
        )
        for k in range(4)
    ]
    for writer in writers:
        assert writer.stdout.readline() == b"ready\n"
    go.touch()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert len(own_files(tmp_path)) == 4
    for rows in (merged(table, NUMBER), rows_of(table)):
        assert sorted(int(row["number"]) for row in rows) == list(range(200))
        assert all(row["text"] == "a, b\n" * (int(row["number"]) % 7) for row in rows)


def test_the_row_written_last_is_that_of_its_key(tmp_path, rows_of):
    table = tmp_path / "some.csv"
    first, second = (RunStore(table, ["number", "value"], NUMBER) for _ in range(2))
    for log, value in ((first, 1), (second, 2), (first, 3)):
        log.add({"number": 7, "value": value})
    second.add({"number": 8, "value": 4})
    first.add({"number": 9, "value": 5})
    for log in (first, second):
        log.__exit__(None, None, None)
    expected = [("7", "3"), ("8", "4"), ("9", "5")]
    for rows in (merged(table, NUMBER), rows_of(table)):
        assert sorted((row["number"], row["value"]) for row in rows) == expected
    with RunStore(table, ["number", "value"], NUMBER) as log:  # of a later run
        log.add({"number": 7, "value": 6})
    assert [row["value"] for row in rows_of(table)] == ["6", "4", "5"]


def test_a_table_without_a_key_is_that_of_the_last_process(tmp_path, rows_of):
    for value in (1, 2):
        with RunStore(tmp_path / "some.csv", ["value"]) as log:
            log.add({"value": value})
    assert rows_of(tmp_path / "some.csv") == [{"value": "2"}]
    assert len(own_files(tmp_path)) == 2


@pytest.mark.parametrize("cut", ["8", "8,tw", '8,"two', '8,"two\n', "8\r\n", "8,two,3\r\n"])
def test_a_row_cut_short_is_left_out_with_a_warning(tmp_path, cut):
    table = tmp_path / "some.csv"
    with RunStore(table, ["number", "text"], NUMBER) as log:
        log.add({"number": 7, "text": "one"})
    table.unlink()
    (own,) = own_files(tmp_path)
    own.write_text(own.read_text() + f"1.5,{cut}")
    with pytest.warns(UserWarning, match="incomplete"):
        (row,) = merged(table, NUMBER)
    assert row["number"] == "7"


def test_a_full_disk_names_the_file_and_keeps_what_was_written(tmp_path, small_files):
    table = tmp_path / "some.csv"

    def fill():
        with RunStore(table, ["number", "text"], NUMBER) as log:
            log.add({"number": 1, "text": "short"})
            log.add({"number": 2, "text": "long" * 200})

    with pytest.raises(OSError, match="too large") as caught:
        fill()
    (own,) = own_files(tmp_path)
    assert caught.value.filename == str(own)
    with pytest.warns(UserWarning, match="incomplete"):
        assert [row["text"] for row in merged(table, NUMBER)] == ["short"]
