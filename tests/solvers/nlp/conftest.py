"""The engines under test: CasADi's IPOPT, a stand-in executable, and a real one if there is one."""

import shutil
import sys
from pathlib import Path

import pytest

DOUBLE = Path(__file__).with_name("ampl_double.py")


@pytest.fixture
def put_on_path(tmp_path, monkeypatch):
    """Give PATH one folder, with this text as its `ipopt`."""

    def put(text):
        folder = tmp_path / "bin"
        folder.mkdir()
        script = folder / "ipopt"
        script.write_text(text)
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return str(script)

    return put


@pytest.fixture
def no_ipopt(tmp_path, monkeypatch):
    """A PATH without `ipopt`."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def double(put_on_path):
    """The stand-in, on PATH."""
    return put_on_path(f"#!{sys.executable}\n{DOUBLE.read_text()}")


@pytest.fixture(params=["casadi", "double", "real"])
def engine(request):
    """Name of an engine that runs, for `IpoptSession(..., engine=engine)`."""
    if request.param == "casadi":
        return "casadi"
    if request.param == "double":
        request.getfixturevalue("double")
    elif shutil.which("ipopt") is None:
        pytest.skip("no ipopt on PATH")
    return "executable"
