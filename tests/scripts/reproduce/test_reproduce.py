"""`bilad reproduce`: order of the parts, records, resuming and the self-contained page."""

import csv
import io
import json
import re
import signal
from dataclasses import dataclass, replace

import pytest
from rich.console import Console

from bilad.scripts.reproduce.part import Claim, Part, Picture, Section, Table, Text
from bilad.scripts.reproduce.report import FILE, read_record, surroundings
from bilad.scripts.reproduce.reproduce import reproduce


@dataclass(frozen=True)
class Sizes:
    numbers: tuple[int, ...] = (1, 2, 3)


@dataclass(frozen=True)
class Row:
    number: int
    square: int


CLAIM = Claim("6.1", "squares <grow>", "they do", "agrees")


def squares(bench, sizes):
    numbers = sizes.numbers
    rows = bench.collect("squares", (Row(k, k * k) for k in numbers), Row, len(numbers))
    cells = [{"number": row.number, "square": row.square, "none": float("nan")} for row in rows]
    picture = bench.picture("dots", "squares & numbers", lambda f: f.subplots().plot([0, 1]))
    return Section([Text("a < b"), Table("Squares", cells, "all"), picture], [CLAIM])


@pytest.fixture
def part():
    """Return a part and a list of its runs."""
    runs = []

    def run(bench, sizes):
        runs.append(sizes)
        return squares(bench, sizes)

    return Part("squares", "Squares", run, Sizes(), Sizes((1,))), runs


@pytest.fixture
def here(monkeypatch, part):
    """Replace the parts by this one and one that is interrupted."""

    def killed(bench, sizes):
        def rows():
            yield Row(1, 1)
            raise KeyboardInterrupt

        bench.collect("squares", rows(), Row)

    parts = {"squares": part[0], "killed": replace(part[0], name="killed", run=killed)}
    monkeypatch.setattr("bilad.scripts.reproduce.reproduce.PARTS", parts)
    return parts


def console():
    return Console(file=io.StringIO(), width=120)


def test_a_section_comes_back_from_json():
    cells = [{"a": 1, "b": 0.25}, {"a": 2, "b": float("nan")}]
    section = Section([Text("t"), Table("T", cells, "c"), Picture("p", "q")], [CLAIM])
    back = Section.of_json(json.loads(json.dumps(section.as_json)))
    assert back.claims == [CLAIM]
    assert (back.blocks[0], back.blocks[2]) == (Text("t"), Picture("p", "q"))
    assert back.blocks[1].headings == ["a", "b"]
    assert back.blocks[1].texts() == section.blocks[1].texts() == [["1", "0.25"], ["2", ""]]


def test_columns_of_numbers_are_told_from_words():
    cells = [{"a": 1, "b": "95.4%", "c": "x", "d": ""}, {"a": 0.5, "b": "", "c": 3, "d": "1e-9"}]
    assert Table("T", cells).kinds() == ["number", "number", "words", "number"]
    assert Table("T", []).kinds() == []


def test_a_run_writes_rows_pictures_and_the_page(tmp_path, here):
    screen = console()
    page = reproduce([here["squares"]], tmp_path, screen).read_text()
    with (tmp_path / "squares" / "squares.csv").open(newline="") as file:
        assert [row["square"] for row in csv.DictReader(file)] == ["1", "4", "9"]
    assert {path.name for path in (tmp_path / "squares").iterdir()} == {
        "squares.csv", "rows", "dots.png", "dots.svg", FILE,
    }  # fmt: skip
    assert "a &lt; b" in page
    assert "squares &lt;grow&gt;" in page
    assert "they do" in screen.file.getvalue()
    assert "seed 0" in page
    assert "agrees: 1, differs: 0, cannot be compared: 0" in page
    assert "bilad reproduce squares --seed 0<" in page
    assert "numpy" in page
    with (tmp_path / "claims.csv").open(newline="") as file:
        assert [(row["part"], row["verdict"]) for row in csv.DictReader(file)] == [
            ("squares", "agrees")
        ]


def test_the_page_needs_nothing_but_itself(tmp_path, here):
    page = reproduce([here["squares"]], tmp_path, console()).read_text()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert any(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "<script" not in page


def test_quick_takes_the_small_sizes(tmp_path, here, part):
    page = reproduce([here["squares"]], tmp_path, console(), quick=True, seed=3).read_text()
    assert part[1] == [Sizes((1,))]
    assert "bilad reproduce squares --quick --seed 3<" in page


def test_a_killed_part_loses_no_other_and_keeps_its_rows(tmp_path, here, part):
    reproduce([here["squares"]], tmp_path, console())
    with pytest.raises(KeyboardInterrupt):
        reproduce([here["killed"]], tmp_path, console())
    assert (tmp_path / "killed" / "squares.csv").read_text().splitlines()[1:] == ["1,1"]
    assert read_record(tmp_path / "killed") is None
    assert 'id="squares"' in (tmp_path / "report.html").read_text()


def test_a_part_that_is_killed_when_run_again_is_no_longer_on_the_page(tmp_path, here, part):
    reproduce([here["squares"]], tmp_path, console())
    killed = replace(here["killed"], name="squares")
    with pytest.raises(KeyboardInterrupt):
        reproduce([killed], tmp_path, console())
    assert 'id="squares"' not in (tmp_path / "report.html").read_text()


def test_resuming_runs_only_what_is_not_there(tmp_path, here, part):
    part, runs = part
    reproduce([part], tmp_path, console())
    screen = console()
    reproduce([part], tmp_path, screen, resume=True)
    assert len(runs) == 1
    assert "kept" in screen.file.getvalue()


def test_an_interrupt_that_a_method_answers_ends_the_part_before_its_row(tmp_path, here, part):
    def swallowing(bench, sizes):
        def rows():
            yield Row(1, 1)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                yield Row(2, 4)  # the best so far
            yield Row(3, 9)

        bench.collect("squares", rows(), Row)
        return Section([])

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        reproduce([replace(part[0], run=swallowing)], tmp_path, console())
    assert (tmp_path / "squares" / "squares.csv").read_text().splitlines()[1:] == ["1,1"]
    assert read_record(tmp_path / "squares") is None
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("change", [{"seed": 1}, {"quick": True}, {"resume": False}])
def test_other_settings_are_run_again(tmp_path, here, part, change):
    part, runs = part
    reproduce([part], tmp_path, console())
    reproduce([part], tmp_path, console(), **{"resume": True, **change})
    assert len(runs) == 2


def test_other_data_are_run_again(tmp_path, here, part, monkeypatch):
    part, runs = part
    reproduce([part], tmp_path, console())
    fewer = replace(surroundings(), datasets=[])
    monkeypatch.setattr("bilad.scripts.reproduce.report.surroundings", lambda: fewer)
    reproduce([part], tmp_path, console(), resume=True)
    assert len(runs) == 2


@pytest.mark.parametrize("spoil", ["{", "{}", "[]", '{"part": "squares"}'])
def test_a_spoilt_record_is_none(tmp_path, here, part, spoil):
    part, runs = part
    reproduce([part], tmp_path, console())
    (tmp_path / "squares" / FILE).write_text(spoil)
    assert read_record(tmp_path / "squares") is None
    reproduce([part], tmp_path, console(), resume=True)
    assert len(runs) == 2


def test_other_code_is_run_again(tmp_path, here, part, monkeypatch):
    part, runs = part
    reproduce([part], tmp_path, console())
    other = replace(surroundings(), code="another")
    monkeypatch.setattr("bilad.scripts.reproduce.report.surroundings", lambda: other)
    reproduce([part], tmp_path, console(), resume=True)
    assert len(runs) == 2
