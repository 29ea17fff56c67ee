"""What is missing or broken is found, whatever it is, and said with its remedy."""

import subprocess
import sys

import numpy as np
import pytest

from bilad.scripts import installation
from bilad.scripts.installation import BROKEN, MISSING, OK, OUTSIDE, packages, system

WANTED = [
    "numpy>=1.26",
    "scikit-learn>=1.6",
    "nosuchpackage>=3",
    "scipy>=1000",
    'nlopt>=2; extra == "derivative-free"',
    'ruff>=0; extra == "dev"',
    'tomli>=2; python_version < "3"',
]


@pytest.fixture
def wanted(monkeypatch):
    monkeypatch.setattr(installation, "requires", lambda name: WANTED)


def found_by_name(part):
    return {one.name: one for one in part}


def test_packages_are_compared_with_what_is_declared(wanted):
    found = found_by_name(packages())
    assert found.keys() == {"numpy", "scikit-learn", "nosuchpackage", "scipy", "nlopt"}
    assert found["numpy"].state == found["scikit-learn"].state == OK
    assert (found["scipy"].state, found["scipy"].expected) == (OUTSIDE, ">=1000")
    missing = found["nosuchpackage"]
    assert (missing.state, missing.remedy) == (MISSING, "pip install 'nosuchpackage>=3'")
    assert missing.is_fault


def test_an_optional_package_is_no_fault(wanted, monkeypatch):
    monkeypatch.setitem(sys.modules, "nlopt", None)
    found = found_by_name(packages())["nlopt"]
    assert found.part == "optional"
    assert not found.is_fault
    assert "bilad[derivative-free]" in found.remedy or found.state == BROKEN


def test_a_package_that_cannot_be_imported_is_broken(wanted, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    found = found_by_name(packages())["scikit-learn"]
    assert found.state == BROKEN
    assert "ModuleNotFoundError" in found.found
    assert found.remedy == "pip install --force-reinstall 'scikit-learn>=1.6'"


HIDDEN = """
import sys
sys.modules["pyomo"] = None
from bilad.scripts import installation
installation.requires = lambda name: ["numpy>=1.26", "pyomo>=6.10"]
for part in installation.PARTS:
    for one in installation.checks(part):
        print(one.part, one.name, one.is_fault, one.found, sep="|")
"""


def test_every_part_is_checked_if_a_package_is_hidden():
    """In a process of its own, in which nothing is imported yet."""
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN], capture_output=True, text=True, check=True
    )
    found = [line.split("|") for line in done.stdout.splitlines()]
    assert {part for part, *_ in found} == {"system", "package", "solver", "self-test"}
    faults = [name for _, name, is_fault, _ in found if is_fault == "True"]
    assert {"pyomo", "IPOPT", "HiGHS", "checks"} <= set(faults)
    assert not {"numpy", "Clarabel", "Python", "data folder"} & set(faults)
    assert all("pyomo" in about for *_, is_fault, about in found if is_fault == "True")


def test_a_package_that_ends_the_process_is_found(monkeypatch, tmp_path):
    (tmp_path / "cma.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(installation, "PARTS", ["package"])
    found = found_by_name(installation.findings())
    assert found["checks"].is_fault
    assert found["checks"].found == "the process ended with code -6 after clarabel"
    assert found["clarabel"].state == OK
    assert "cma" not in found


def test_the_solvers_and_the_lower_level_work():
    found = [*installation.solvers(), *installation.self_tests()]
    assert [one.name for one in found if one.is_fault] == []
    assert "linear solver" in found[0].found
    assert len(found) == 7


def test_a_wrong_answer_of_the_lower_level_is_a_fault(monkeypatch):
    class Wrong:
        status, labels = "optimal", np.zeros(4, dtype=int)

    monkeypatch.setattr("bilad.solvers.cluster", lambda model, method: Wrong)
    found = list(installation.self_tests())
    assert [one.state for one in found] == [BROKEN] * 4
    assert "labels [0, 0, 0, 0]" in found[0].found


def test_folders_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BILAD_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = found_by_name(system())
    assert str(tmp_path / "data") in found["data folder"].found
    assert "does not exist" in found["data folder"].found
    assert "OMP_NUM_THREADS=3" in found["cores"].found
    assert "writable" in found["compiled code"].found
