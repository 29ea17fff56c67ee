"""Methods of optional packages: refused without, and able to be interrupted with."""

import signal

import pytest

from bilad.models.validation import ArgumentError
from bilad.solvers import attack
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper.derivative_free import extras


@pytest.mark.parametrize(("method", "package"), [("nomad", "PyNomadBBO"), ("nlopt-crs", "NLopt")])
def test_without_the_package(groups, method, package, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedError) as caught:
        attack(groups.bl1(), method)
    message = str(caught.value)
    assert f"{package} is not installed: pip install 'bilad[derivative-free]'" in message
    assert "'cma'" in message.split("able: ")[1]
    assert repr(method) not in message.split("able: ")[1]


def test_nomad_gives_ctrl_c_back(groups):
    pytest.importorskip("PyNomad")
    attack(groups.bl1(), "nomad", max_solves=20, closing="none")
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("options", [{"first_frame": 2.0}, {"last_frame": 0.0}])
def test_nomad_refuses_frames(groups, options):
    pytest.importorskip("PyNomad")
    with pytest.raises(ArgumentError, match="_frame"):
        attack(groups.bl1(), "nomad", **options)
