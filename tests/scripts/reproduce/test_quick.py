"""The whole reproduction with small sizes from the command line."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from bilad.scripts.cli import app
from bilad.scripts.reproduce.reproduce import PARTS


@pytest.mark.slow
def test_every_part_runs_and_the_report_has_them_all(tmp_path):
    result = CliRunner().invoke(app, ["reproduce", "all", "--quick", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text()
    for name, part in PARTS.items():
        assert f">{part.title}</h2>" in page
        assert list((tmp_path / name).glob("*.csv"))
    verdicts = set(pd.read_csv(tmp_path / "claims.csv").verdict)
    assert verdicts == {"agrees", "differs", "cannot be compared"}
