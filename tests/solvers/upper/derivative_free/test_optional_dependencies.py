"""Methods of optional packages: refused without, and able to be interrupted with."""

import signal

import pytest

from bilad.solvers import attack
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper.derivative_free import optional_dependencies


@pytest.mark.parametrize(("method", "package"), [("nomad", "PyNomadBBO"), ("nlopt-crs", "NLopt")])
def test_without_the_package(groups, method, package, monkeypatch):
    monkeypatch.setattr(optional_dependencies, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedError) as caught:
        attack(groups.bl1(), method)
    message = str(caught.value)
    assert f"{package} is not installed: pip install 'bilad[derivative-free]'" in message
    assert "'cma'" in message.split("able: ")[1]
    assert repr(method) not in message.split("able: ")[1]


def test_nomad_restores_the_handler_of_ctrl_c(groups):
    pytest.importorskip("PyNomad")
    attack(groups.bl1(), "nomad", max_solves=20, closing="none")
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
