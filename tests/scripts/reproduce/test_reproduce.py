"""`bilad reproduce`: what a part leaves behind, the self-contained page, and interrupts."""

import io
import re
import signal

import pandas as pd
import pytest
from rich.console import Console

from bilad.scripts.experiments.page import Table, Text
from bilad.scripts.reproduce.reproduce import reproduce
from bilad.scripts.reproduce.section import Claim, Part, Section

CLAIM = Claim("6.1", "squares <grow>", "they do", "agrees")


def squares(bench):
    numbers = [1] if bench.quick else [1, 2, 3]
    frame = pd.DataFrame({"number": numbers, "none": float("nan")})
    frame["square"] = [k * k for k in bench.track("squares", numbers)]
    draw = lambda figure: figure.subplots().plot([0, 1])  # noqa: E731
    picture = bench.picture("dots", "squares & numbers", draw, data=frame)
    words = [{"word": "a < b", "share": "95.4%"}, {"word": "5", "share": ""}]
    tables = Table("squares", "Squares", frame, "all"), Table("words", "Words", words)
    return Section([Text("a < b"), *tables, picture, Table("none", "Nothing", [])], [CLAIM])


SQUARES = Part("squares", "Squares", squares)


def console():
    return Console(file=io.StringIO(), width=120)


def test_a_run_writes_tables_pictures_and_the_page(tmp_path):
    screen = console()
    page = reproduce([SQUARES], tmp_path, screen, console(), seed=3).read_text()
    folder = tmp_path / "squares"
    assert pd.read_csv(folder / "squares.csv").square.tolist() == [1, 4, 9]
    assert pd.read_csv(folder / "dots.csv").square.tolist() == [1, 4, 9]
    assert {path.name for path in folder.iterdir()} == {
        "squares.csv", "squares.tex", "words.csv", "words.tex", "none.csv", "none.tex",
        "dots.csv", "dots.pdf", "dots.svg",
    }  # fmt: skip
    assert "a &lt; b" in page
    assert "squares &lt;grow&gt;" in page
    assert '<td class="number" data-key="95.4">95.4%</td>' in page
    assert '<td class="words" data-key="5.0">5</td>' in page
    assert "they do" in screen.file.getvalue()
    assert "`bilad reproduce squares --seed 3`" in page
    assert "numpy" in page
    assert pd.read_csv(tmp_path / "claims.csv").verdict.tolist() == ["agrees"]


def test_the_page_needs_nothing_but_itself(tmp_path):
    page = reproduce([SQUARES], tmp_path, console(), console()).read_text()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert any(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(source.startswith(("data:", "#")) for source in sources)


def test_quick_takes_the_small_sizes(tmp_path):
    page = reproduce([SQUARES], tmp_path, console(), console(), quick=True).read_text()
    assert pd.read_csv(tmp_path / "squares" / "squares.csv").square.tolist() == [1]
    assert "`bilad reproduce squares --quick --seed 0`" in page


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_part_that_fails_costs_no_finished_part(tmp_path, error):
    def failing(bench):
        raise error

    with pytest.raises(error):
        reproduce([SQUARES, Part("late", "Late", failing)], tmp_path, console(), console())
    page = (tmp_path / "report.html").read_text()
    assert ">Squares</h2>" in page
    assert ">Late</h2>" not in page
    assert len(pd.read_csv(tmp_path / "claims.csv")) == 1


@pytest.mark.parametrize("after", [1, 2])
def test_an_interrupt_that_a_method_answers_ends_the_part(tmp_path, after):
    reached = []

    def swallowing(bench):
        for k in bench.track("numbers", range(1, 3)):
            reached.append(k)
            if k == after:
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
        return Section([])

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        reproduce([Part("squares", "Squares", swallowing)], tmp_path, console(), console())
    assert reached[-1] == after
    assert not (tmp_path / "report.html").exists()
    assert signal.getsignal(signal.SIGINT) is before
