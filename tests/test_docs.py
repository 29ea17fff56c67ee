"""Every Python block of the README and the docs runs, and prints what the page says it prints."""

import re
from pathlib import Path

import pytest

from bilad.formulations.complementarity import RELAXATIONS
from bilad.scripts.experiments import parts
from bilad.solvers.upper import UPPER_METHODS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# A block of code, and right below it, if it is there, what it prints.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def blocks(page):
    return BLOCK.findall(page.read_text())


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run_in_turn(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # What a page registers is forgotten after it.
    for table in (RELAXATIONS, UPPER_METHODS):
        monkeypatch.setattr(table, "_known", dict(table._known))
    monkeypatch.setattr(parts, "SOURCES", dict(parts.SOURCES))
    names = {"__name__": "__main__"}
    for number, (code, printed) in enumerate(blocks(page), 1):
        exec(compile(code, f"{page.name}, block {number}", "exec"), names)
        out = capsys.readouterr().out
        assert not printed or out == printed
