"""The whole reproduction with small sizes from the command line."""

import csv
import json

import pytest
from typer.testing import CliRunner

from bilad.scripts.cli import app
from bilad.scripts.reproduce.report import FILE
from bilad.scripts.reproduce.reproduce import PARTS


@pytest.mark.slow
def test_every_part_runs_and_the_report_has_them_all(tmp_path):
    result = CliRunner().invoke(app, ["reproduce", "all", "--quick", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text()
    for name, part in PARTS.items():
        assert f'<h2 id="{name}">' in page
        section = json.loads((tmp_path / name / FILE).read_text())["section"]
        assert section["blocks"]
        pictures = {block["name"] for block in section["blocks"] if block["kind"] == "Picture"}
        assert pictures == {path.stem for path in (tmp_path / name).glob("*.png")}, part.title
        assert pictures == {path.stem for path in (tmp_path / name).glob("*.svg")}
        assert list((tmp_path / name).glob("*.csv"))
    with (tmp_path / "claims.csv").open(newline="") as file:
        verdicts = {row["verdict"] for row in csv.DictReader(file)}
    assert verdicts == {"agrees", "differs", "cannot be compared"}
