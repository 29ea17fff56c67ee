"""Files from others are data: nothing in them is executed, and names in them are no paths."""

import ast
import io
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bilad.models import DatasetError, load_dataset
from bilad.scripts.display import csv
from bilad.scripts.experiments import report
from bilad.scripts.experiments.faults import SpecificationError
from bilad.scripts.experiments.run import failed
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.table import table_of

ROOT = Path(__file__).parents[3]
FOLDERS = ("models", "formulations", "solvers", "scripts", "package")
EXECUTES = {
    "__import__", "compile", "eval", "exec", "import_module", "read_pickle", "run_module",
    "run_path",
}  # fmt: skip
READERS = ("pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "np", "numpy")
# The Python files that a user names, and modules of this package and of its dependencies.
ALLOWED = {
    "scripts/experiments/python_file.py": {"compile", "exec", "import_module"},
    "scripts/installation.py": {"import_module"},
    "package/__init__.py": {"import_module"},
}


def calls(path):
    """The names of the calls in a file that execute or unpickle what they are given."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        owner = getattr(getattr(called, "value", None), "id", "")
        name = getattr(called, "id", getattr(called, "attr", ""))
        if (name in EXECUTES and owner != "re") or (owner, name) == ("os", "system"):
            yield name
        if name in ("load", "loads", "open") and owner in READERS:
            yield f"{owner}.{name}"
        for option in node.keywords:
            if option.arg in ("shell", "allow_pickle") and ast.unparse(option.value) != "False":
                yield option.arg


def test_only_python_files_that_a_user_names_are_executed():
    found = {}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            found[str(path.relative_to(ROOT))] = set(calls(path))
    assert {path: names for path, names in found.items() if names} == ALLOWED


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
def test_a_pickle_in_a_data_file_is_not_read(tmp_path, suffix):
    bait, path = tmp_path / "bait", tmp_path / f"points{suffix}"
    if suffix == ".npy":
        np.save(path, np.array([[Payload(bait)]]), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(Payload(bait)))
    with pytest.raises(DatasetError, match=f"points{suffix}"):
        load_dataset(path)
    assert not bait.exists()


@pytest.mark.parametrize("option", ["output_file", "hsllib", "pardisolib", "option_file_name"])
def test_a_specification_names_no_file_of_ipopt(line, option):
    line["methods"] = {"kkt": {"ipopt_options": {option: "../elsewhere"}}}
    with pytest.raises(SpecificationError, match=f"ipopt_options {option}: got '../elsewhere'"):
        read_specification(line)


NAMES = ["../../up", "/tmp/absolute", "..", "C:\\up", "a\0b", "=1+1", "x" * 300, "\n"]


def test_names_like_paths_stay_in_the_folder(line, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "plots_of", lambda *own: [])  # named as the tables are
    (block,) = line["problems"]
    line["name"] = "../../name"
    line["problems"] = [{**block, "family": name} for name in NAMES]
    rows = [failed(run, "feasible", "converged", 0.1) for run in read_specification(line).runs]
    out = tmp_path / "below" / "out"
    report.write_report(table_of(rows), out)
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.parent for path in files} == {out}
    assert len(files) >= 2 * len(NAMES)


def test_a_table_holds_no_formula_for_a_spreadsheet():
    cells = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "-", "-2.5", "a=b", ""]
    table = pd.DataFrame({"=name": cells, "number": -np.arange(9.0)}, index=["=i", *"bcdefghi"])
    back = pd.read_csv(io.StringIO(csv(table, index=True)), keep_default_na=False)
    assert back.columns.tolist()[1:] == ["'=name", "number"]
    assert back["'=name"].tolist() == [*(f"'{one}" for one in cells[:5]), *cells[5:]]
    assert back.number.tolist() == table.number.tolist()
    assert back.iloc[0, 0] == "'=i"
