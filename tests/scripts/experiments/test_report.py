"""The page stands alone, and shows names of the user's files as they are."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bilad.models import DatasetError, load_dataset
from bilad.scripts.cli import app
from bilad.scripts.experiments.report import write_report
from bilad.scripts.experiments.run import failed
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.store import Store
from bilad.scripts.experiments.studies import STUDIES, study
from bilad.scripts.experiments.table import table_of

EVIL = '<script>alert("x")</script> & $a_b$ _\\% \u00e9/../..'
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def table(module_line):
    """Rows of all kinds, with names that would break a page, a formula or a path."""
    line = module_line
    del line["problems"][0]["targets"]
    line["problems"][0]["family"] = EVIL
    line["methods"] = {EVIL: {"method": "corners"}, "_hidden": {"method": "random"}}
    made = []
    for k, run in enumerate(read_specification(line).runs):
        row = failed(run, "feasible", "converged", 0.1 * k)
        moments = [(1, 0.1, 2.0), (3 + k, 0.2 + k, 4.0 + k)]
        made.append(replace(row, own=4.0 + k, history=json.dumps(moments), solves=3 + k))
    made[0] = replace(made[0], status="error", termination=f"error: {EVIL}")
    made[3] = replace(made[3], score=0.3, clean_score=0.1)
    curve = json.dumps([(-1.0, 2.0), (0.0, 0.0), (1.0, 4.0)])
    made[1] = replace(made[1], curve=curve, eps="[1.0]")
    staged = {"contraction": "observed", "ipopt": 0.5}
    made[2] = replace(made[2], fingerprint=made[1].fingerprint, eps="[0.5]", **staged)
    return table_of(made)


@pytest.fixture(scope="module")
def report(table, tmp_path_factory):
    return write_report(table, tmp_path_factory.mktemp("report") / "out")


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_stands_alone_and_escapes_names(report):
    page = Page(report.read_text())
    assert page.tags.count("script") == 1
    assert all(link.startswith(("data:image/svg+xml;base64,", "#")) for link in page.links)
    assert EVIL in page.texts
    assert sum(f"error: {EVIL}" in text for text in page.texts) == 1
    assert page.tags.count("table") == 6


def test_every_table_and_figure_is_a_file_with_its_data(report):
    folder = report.parent
    names = {path.name for path in folder.iterdir()}
    assert all(path.parent == folder for path in folder.rglob("*"))
    figures = {name.removesuffix(".svg") for name in names if name.endswith(".svg")}
    for kind in ("performance", "data", "anytime", "security", "error", "staircase"):
        assert any(kind in name for name in figures), kind
    assert all({f"{name}.pdf", f"{name}.csv"} <= names for name in figures)
    tables = {name.removesuffix(".tex") for name in names if name.endswith(".tex")}
    assert len(tables) == 5
    assert all(f"{name}.csv" in names for name in tables)
    latex = "".join((folder / f"{name}.tex").read_text() for name in tables)
    assert r"\$a\_b\$" in latex
    assert "gap" in latex
    assert "sensitivity" in latex
    (band,) = ((folder / f"{name}.csv").read_text() for name in figures if "error" in name)
    assert len(re.findall(r"^band,.*,0\.0,0\.1$", band, re.MULTILINE)) == 2
    marks = next((folder / f"{name}.csv").read_text() for name in figures if "staircase" in name)
    assert re.search(r"^mark,.*,0\.5,0\.0", marks, re.MULTILINE)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_script_of_the_page_sorts_numbers_as_numbers(report):
    """The page's own script, on a table of three rows that stands in for the browser's."""
    (script,) = re.findall(r"<script>(.*?)</script>", report.read_text(), re.DOTALL)
    stub = """
    const rows = ["10", "9", "nan"].map(key => ({cells: [{dataset: {key}}]}));
    const head = {state: null, getAttribute: () => head.state, removeAttribute: () => {},
      setAttribute: (name, value) => { head.state = value; },
      addEventListener: (name, act) => { head.click = act; }};
    const body = {rows, append: (...sorted) => { body.rows = sorted; }};
    const table = {tHead: {rows: [{cells: [head]}]}, tBodies: [body]};
    const document = {querySelectorAll: () => [table]};
    """
    show = "console.log(body.rows.map(row => row.cells[0].dataset.key).join());"
    program = f"{stub}{script};head.click();{show}head.click();{show}"
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["9,10,nan", "nan,10,9"]


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="needs Chromium")
def test_a_browser_shows_the_page(report, tmp_path):
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    picture = tmp_path / "page.png"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--screenshot={picture}"]
    subprocess.run([*command, report.as_uri()], check=True, timeout=120, capture_output=True)
    assert picture.stat().st_size > 10_000
    dump = [browser, "--headless", "--no-sandbox", "--dump-dom", report.as_uri()]
    shown = subprocess.run(dump, check=True, timeout=120, capture_output=True, text=True).stdout
    assert Page(shown).tags.count("script") == 1


def test_the_command_writes_the_report_of_several_stores(line, tmp_path):
    runs = read_specification(line).runs
    for k in range(2):
        with Store(tmp_path / f"{k}.sqlite") as store:
            for run in runs[k::2]:
                store.add(replace(failed(run, "feasible", "converged"), own=2.0))
    stores = [str(tmp_path / f"{k}.sqlite") for k in range(2)]
    answer = CliRunner().invoke(app, ["report", *stores, "--out", str(tmp_path / "out")])
    assert answer.exit_code == 0, answer.output
    assert f"{len(runs)} runs" in (tmp_path / "out" / "report.html").read_text()
    answer = CliRunner().invoke(app, ["report", str(tmp_path / "none.sqlite")])
    assert answer.exit_code == 2
    Store(tmp_path / "empty.sqlite").close()
    answer = CliRunner().invoke(app, ["report", str(tmp_path / "empty.sqlite")])
    assert (answer.exit_code, "finished runs" in answer.output) == (2, True)


@pytest.mark.parametrize("name", ["black-box", "security", "size"])
def test_a_study_of_the_project_has_no_fault(name):
    answer = CliRunner().invoke(app, ["sweep", name, "--check", "--set", "seeds = 1"])
    assert answer.exit_code == 0, answer.output


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.toml")), ids=lambda path: path.stem)
def test_no_study_has_a_fault(path):
    if path.stem == "table1":
        try:
            load_dataset("seeds")
        except DatasetError:
            pytest.skip("Seeds is not here")
    assert read_specification(study(path.stem), ["seeds = 1"]).runs


def test_a_sweep_stores_its_rows_and_refuses_to_mix_them_up(in_process, tmp_path, monkeypatch):
    """Also with names that are markup to a terminal."""
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(
        'name = "[/] mine"\nlimits.solves = 5\nmethods."[red]x" = {method = "corners"}\n'
        'data.d = {kind = "clouds", points = 9, dimension = 1}\n'
        'models.m = {kind = "convex clustering", gamma = 2.4, weight = "1/n"}\n'
        'perturbations.p = {kind = "additive", points = 2}\n'
        '[[problems]]\nfamily = "[/b]"\ndata = "d"\nmodels = "m"\nperturbations = "p"\n'
        "budgets = [1.0, 2.0]\n"
    )

    def sweep(*options):
        return CliRunner().invoke(app, ["sweep", "mine.toml", *options])

    first = sweep("--problems", "budget 1")
    assert first.exit_code == 0, first.output
    assert "[red]x" in first.output
    assert "results/mine.sqlite" in first.output.replace("\n", "")
    again = sweep()
    assert (again.exit_code, "--resume to continue it" in again.output) == (2, True)
    assert sweep("--resume").exit_code == 0
    with Store(Path("results/mine.sqlite")) as store:
        assert len(store.rows()) == 2
    assert sweep("--methods", "none", "--resume").exit_code == 2
