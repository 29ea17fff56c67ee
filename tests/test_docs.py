"""The blocks of the README and of the documentation run, and print what the page says they print.

Run are `python` blocks, the commands of `sh` blocks, each of which is one of `bilad`, and the check
of `toml` specifications. A block that begins with a comment such as `# mine.toml` is also written
to a file of this name. The blocks of a page share their names and one folder. Text below a block is
its output, in which "..." is any text; a command whose output begins with "error" fails. Blocks of
another language, such as `console`, are not run: these are installations, other machines, and
studies of minutes.
"""

import re
import shlex
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bilad.formulations.complementarity import RELAXATIONS
from bilad.scripts.cli import main
from bilad.scripts.experiments import parts
from bilad.scripts.experiments.specification import read_specification
from bilad.solvers.upper import UPPER_METHODS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# A block, and right below it, if it is there, what it prints.
BLOCK = re.compile(
    r"^```(python|sh|toml)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE
)
FILE = re.compile(r"# ([\w-]+\.\w+)\n")
REGISTRIES = {"bilad.methods": UPPER_METHODS, "bilad.relaxations": RELAXATIONS}


def blocks(page):
    return BLOCK.findall(page.read_text())


@pytest.fixture
def page_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    # What a page registers is forgotten after it.
    for table in REGISTRIES.values():
        monkeypatch.setattr(table, "_known", dict(table._known))
    for table in ("SOURCES", "MODELS", "PERTURBATIONS"):
        monkeypatch.setattr(parts, table, dict(getattr(parts, table)))


def check_output(out, printed):
    pattern = ".*".join(map(re.escape, printed.split("...")))
    assert not printed or re.fullmatch(pattern, out, re.DOTALL), out


def check_table(out, printed):
    """Compare lines of a table, whose columns can be wider than documented."""
    out, printed = (" ".join(text.split()) for text in (out, printed))
    pattern = ".*".join(re.escape(part.strip()) for part in printed.split("..."))
    assert re.search(pattern, out), out


def run_commands(text, printed, capsys, monkeypatch):
    lines = text.replace("\\\n", " ").splitlines()
    for words in filter(None, (shlex.split(line, comments=True) for line in lines)):
        assert Path(words[0]).name == "bilad", f"{words} belongs in a block of another language"
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            sys.exit(main())
        if printed.startswith("error"):
            assert ended.value.code == 2
            check_output(capsys.readouterr().err, printed)
        else:
            out, err = capsys.readouterr()
            assert not ended.value.code, err
            if printed:
                check_table(out or err, printed)


def check_toml(text):
    given = tomllib.loads(text)
    if "project" not in given:
        assert read_specification(given).runs
    for group, entries in given.get("project", {}).get("entry-points", {}).items():
        for name, value in entries.items():
            REGISTRIES[group].register(name, EntryPoint(name, value, group).load())


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run_in_turn(page, page_folder, monkeypatch, capsys):
    names = {"__name__": "__main__"}
    for number, (language, text, printed) in enumerate(blocks(page), 1):
        if file := FILE.match(text):
            Path(file[1]).write_text(text)
        if language == "toml":
            check_toml(text)
        elif language == "sh":
            run_commands(text, printed, capsys, monkeypatch)
        else:
            exec(compile(text, f"{page.name}, block {number}", "exec"), names)
            check_output(capsys.readouterr().out, printed)
        capsys.readouterr()
