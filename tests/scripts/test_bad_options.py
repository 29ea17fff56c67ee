"""Wrong options and files of every command: one line names the option, and no file changes.

A row of the table is a command with right words, and wrong values of its arguments and options. A
command without a row, and an option that has no wrong value anywhere, fail a test.
"""

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import typer
from support.unsolved import nothing_is_solved

from bilad.scripts.cli import app

PROGRAM = typer.main.get_command(app)

NUMBER = ["one", "nan", "inf", "-1", ""]
POSITIVE = [*NUMBER, "0"]
SECONDS = ["one", "nan", "-1"]
COUNT = ["one", "1.5", "-1"]
SIZE = [*COUNT, "0"]
SELECTION = ["99", "-1", "x", "", "0,0", "5:2", "1.5"]
OUT = ["a_file", "a_file/below", "/dev/null/below", "taken"]
MAGIC = ["magic", ""]
POINTS = [
    "missing.csv", "../nowhere/x.csv", "irsi", "", "binary.csv", "empty.csv", "words.csv",
    "missing_value.csv", "ragged.csv", "one_point.csv", "objects.npy", "words.parquet",
    "folder.csv", "points.csv\0", "x" * 5000 + ".csv",
]  # fmt: skip
UNREACHABLE = ["nowhere", "tcp://127.0.0.1:1"]
CLUSTERING = "points.csv --gamma 0.1"
# The words of a command, and the wrong values: of an argument by its place, of an option by name.
# fmt: off
TABLE = {
    "cluster": (CLUSTERING, {0: POINTS, "--method": [*MAGIC, "exact"], "--seconds": SECONDS,
        "--gamma": NUMBER, "--out": OUT}),
    "path": ("points.csv", {0: POINTS[:5], "--gammas": ["a", "", "-1", "1,1", "nan", "1,,2"],
        "--clusters": SIZE, "--count": SIZE, "--method": MAGIC, "--seconds": SECONDS,
        "--out": OUT}),
    "attack": (f"{CLUSTERING} --points 0", {0: POINTS[:5], "--rows": SELECTION,
        "--columns": [*SELECTION, "hight"], "--label": ["hight", "9"], "--scale": POSITIVE,
        "--p": ["3", "two", "nan"], "--weights": ["rbf", ""], "--neighbours": SIZE,
        "--phi": NUMBER, "--weight": ["x", "-1"], "--gamma": NUMBER, "--model": MAGIC,
        "--penalty": [*POSITIVE, "1"], "--target-column": ["hight", "width"], "--kind": MAGIC,
        "--points": SELECTION, "--features": [*SELECTION, "hight"],
        "--norm": ["3", "two", "", "nan"], "--budget": POSITIVE, "--target": [*POSITIVE, "1e9"],
        "--deviation": MAGIC, "--method": [*MAGIC, "exact"], "--seconds": SECONDS,
        "--solves": COUNT, "--seed": COUNT, "--closing": MAGIC, "--bound": MAGIC,
        "--lower": MAGIC, "--option": ["step", "=1", "a b=1", "stepp=1"], "--out": OUT}),
    "certify": (f"{CLUSTERING} --points 0", {0: POINTS[:5], "--seconds": [*SECONDS, "0"],
        "--ray": ["missing.txt", "folder.csv", "ray.txt", "points.csv"], "--seed": COUNT,
        "--kind": MAGIC, "--out": OUT}),
    "verify": (CLUSTERING, {0: POINTS[:5], "--tol": POSITIVE, "--seconds": SECONDS,
        "--methods": [*MAGIC, "ssnal,ssnal", "ssnal,"], "--problems": SIZE, "--seed": COUNT,
        "--index": COUNT, "--out": OUT}),
    "compare": (f"{CLUSTERING} --points 0", {0: POINTS[:5], "--lower": MAGIC, "--closing": MAGIC,
        "--methods": [*MAGIC, "corners,", "corners,magic"], "--bound": MAGIC, "--seed": COUNT,
        "--solves": COUNT, "--seconds": [*SECONDS, "0"], "--jobs": SIZE,
        "--scheduler": UNREACHABLE, "--out": OUT}),
    "bilevel": ("models.py", {
        0: ["missing.py", "missing_module", "broken.py", "raises.py", "points.csv"],
        "--function": ["three", "nothing", "number", "problem", ""], "--problem": ["zzz"],
        "--method": [*MAGIC, "kkt,magic"], "--starts": SIZE, "--seed": COUNT,
        "--seconds": [*SECONDS, "0"], "--nodes": SIZE, "--out": OUT}),
    "sweep": ("study.toml", {
        0: ["missing.toml", "broken.toml", "empty.toml", "magic", "folder.csv", "points.csv",
            "binary.csv"],
        "--store": ["a_file", "a_file/x.sqlite", "folder.csv", "taken/labels.csv"],
        "--set": ["a", "limits.seconds = x", "nonsense = 3", "seeds = -1"],
        "--problems": ["zzz"], "--methods": MAGIC[:1], "--jobs": SIZE,
        "--scheduler": UNREACHABLE}),
    "report": ("empty.sqlite", {
        0: ["missing.sqlite", "a_file", "empty.sqlite", "folder.csv", "points.csv"],
        "--out": OUT}),
    "reproduce": ("fig4", {0: [*MAGIC, "fig9", "All"], "--seed": COUNT, "--out": OUT}),
    "methods": ("kkt", {0: [*MAGIC, "kk"],
        "--plugins": ["missing.py", "broken.py", "raises.py", "missing_module"]}),
    "doctor": ("", {}),
}
# fmt: on
# The documented code is 1 for what cannot be read or reached.
UNREADABLE = [
    ("bilevel", 0, "missing.py"),
    ("methods", "--plugins", "missing.py"),
    ("certify", "--ray", "missing.txt"),
    ("certify", "--ray", "folder.csv"),
    ("report", 0, "a_file"),
    ("report", 0, "points.csv"),
    *((command, "--scheduler", one) for command in ("sweep", "compare") for one in UNREACHABLE),
]  # fmt: skip
# What a message begins with, if it is neither the option nor the value.
NAMED = {
    0: ["DATA", "parts", "specification", "store", "method"],
    "--method": ["--method", "method 'exact' cannot"],
    "--function": ["--function", "models.py, 'number'"],
    "--set": ["study.toml: "],
}
FILES = {
    "a_file": "kept",
    "binary.csv": bytes(range(256)),
    "empty.csv": "",
    "empty.sqlite": "",
    "empty.toml": "",
    "broken.toml": "name = [",
    "broken.py": "def problems(:\n",
    "raises.py": "raise RuntimeError('no')\n",
    "models.py": "three = 3\ndef nothing(): return {}\ndef number(): return 3\n"
    "def problems():\n    from support.followers import bard\n    return bard()\n",
    "words.csv": "a,b\nx,y\nz,w\n",
    "words.parquet": "no",
    "missing_value.csv": "a,b\n1,2\nnan,4\n",
    "ragged.csv": "a,b\n1,2\n3\n4,5,6\n",
    "one_point.csv": "a,b\n1,2\n",
    "ray.txt": "1 2 x",
    "points.csv": "height,width\n" + "".join(f"{k % 2 * 6 + k / 10},{k / 7}\n" for k in range(10)),
    "study.toml": 'data.d.source = "points.csv"\nmodels.m.kind = "convex clustering"\n'
    'models.m.gamma = 0.1\nperturbations.p.kind = "additive"\nmethods = ["corners"]\n'
    '[[problems]]\ndata = "d"\nmodels = "m"\nperturbations = "p"\nbudgets = 1.0\n',
}
WRITTEN = (
    "labels.csv", "path.csv", "attack.json", "summary.json", "comparison.csv", "compare.csv",
    "bilevel.csv", "report.html",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with right and wrong files, in which the commands are run, and nothing solved."""
    made = tmp_path_factory.mktemp("files")
    for name, content in (FILES | {f"taken/{name}": "kept" for name in WRITTEN}).items():
        path = made / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    (made / "folder.csv").mkdir()
    np.save(made / "objects.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.MonkeyPatch.context() as patched, nothing_is_solved():
        patched.chdir(made)
        yield made


def content(folder):
    return {path: path.is_file() and path.read_bytes() for path in Path(folder).rglob("*")}


def refused(folder, command, words, code=2):
    """Run a command that is refused; return why."""
    before = content(folder)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        PROGRAM.main([command, *words])
    assert content(folder) == before
    assert (end.value.code, out.getvalue()) == (code, "")
    messages, error, reason = err.getvalue().partition("error ")
    assert error
    assert "Traceback" not in messages
    assert all(line.startswith("  ") for line in reason.splitlines()[1:])  # each fault has one
    return reason


CASES = [
    (command, name, value)
    for command, (_, wrong) in TABLE.items()
    for name, values in wrong.items()
    for value in values
]


@pytest.mark.parametrize(("command", "name", "value"), CASES)
def test_a_wrong_value_is_named_and_no_file_changes(folder, command, name, value):
    words = TABLE[command][0].split()
    if name == 0:
        words[0] = value
    else:
        words += [name, value]
    line = refused(folder, command, words, 1 if (command, name, value) in UNREADABLE else 2)
    assert value[:5] in line or " got " in line  # of a long name, a part is shown
    assert line.startswith((*NAMED.get(name, [name]), value or "?"))


@pytest.mark.parametrize("command", TABLE)
def test_what_every_command_refuses(folder, command):
    words = TABLE[command][0].split()
    assert "no such option: --nothing" in refused(folder, command, [*words, "--nothing"])
    if "--out" in TABLE[command][1]:
        line = refused(folder, command, [*words, "--json", "--csv"])
        assert line.startswith("--csv: got --json too")
    if words and command not in ("verify", "methods"):
        assert "missing argument" in refused(folder, command, [])


def test_every_command_and_option_has_a_row():
    commands = PROGRAM.commands
    assert set(commands) == set(TABLE)
    shared = {name for name in TABLE["attack"][1] if name != 0}
    for name, command in commands.items():
        options = {
            one.opts[0] if one.opts[0].startswith("--") else 0
            for one in command.params
            if not getattr(one, "is_flag", False)
        }
        assert options <= {*TABLE[name][1], *shared}, name
