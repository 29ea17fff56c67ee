"""Rows go to the disk at once."""

import io

import pytest
from rich.console import Console

from bilad.scripts.attack_runs import Row
from bilad.scripts.run_log import Output, RunLog


def test_rows_are_on_disk_at_once(tmp_path, row, rows_of):
    with RunLog(tmp_path / "new" / "some.csv", Row) as log:
        log.add(row())
        (written,) = rows_of(tmp_path / "new" / "some.csv")
        assert written["problem"] == row().problem
        assert float(written["value"]) == 2.0


def test_a_killed_part_keeps_its_rows(tmp_path, row, rows_of):
    def rows():
        yield row()
        raise KeyboardInterrupt

    output = Output(tmp_path, Console(file=io.StringIO()))
    with pytest.raises(KeyboardInterrupt):
        output.collect("grid", rows(), Row)
    assert len(rows_of(tmp_path / "grid.csv")) == 1
