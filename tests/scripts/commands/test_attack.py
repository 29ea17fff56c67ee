"""`bilad attack` on (BL1) and (BL2) of several learning models."""

import itertools
import json

import pytest

from bilad.solvers import LowerLevel

OWN = "--label", "kind", "--gamma", 1, "--neighbours", 4, "--solves", 30


def record(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_bl1_of_a_file(bilad, flowers, tmp_path):
    found = record(bilad("attack", flowers, *OWN, "--points", "0:2", "--budget", 6, "--json"))
    assert found["result"]["deviation"] > 0
    assert found["result"]["norm"] <= 6
    assert len(found["result"]["eps"]) == 4
    assert found["options"]["points"] == "0:2"
    written = tmp_path / "results" / "attack" / "flowers" / "attack.json"
    assert json.loads(written.read_text()) == found


def test_bl2_of_a_file(bilad, flowers):
    found = record(
        bilad(
            "attack", flowers, *OWN, "--points", 0, "--features", "height", "--target", 4, "--json"
        )
    )
    assert found["result"]["deviation"] >= 4
    assert found["result"]["norm"] > 0
    assert len(found["result"]["eps"]) == 1


def test_the_method_its_options_and_its_limits(bilad, flowers):
    own = *OWN[:-1], 7, "--method", "corners", "--option", "corners=3", "--closing", "none"
    found = record(bilad("attack", flowers, *own, "--points", "0", "--json"))["result"]
    assert (found["method"], found["closing"]) == ("corners", "none")
    assert found["lower_solves"] <= 7


@pytest.mark.parametrize("model", ["ridge", "logistic", "svm"])
def test_linear_models(bilad, flowers, model):
    found = record(
        bilad("attack", flowers, "--label", "kind", "--model", model, "--points", "0:2",
              "--budget", 20, "--solves", 30, "--json")
    )  # fmt: skip
    assert found["result"]["deviation"] > 0
    kind = "changed-predictions"
    asked = record(
        bilad("attack", flowers, "--label", "kind", "--model", model, "--points", "0:2",
              "--deviation", kind, "--budget", 20, "--solves", 30, "--json", "--force")
    )  # fmt: skip
    assert asked["options"]["deviation"] == kind


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "conrers"), "error --method: got 'conrers', .*did you mean 'corners'"),
        (("--method", "corners", "--option", "cornres=3"), "error --option: got 'cornres'"),
        (("--method", "milp"), "error method 'milp' cannot take this problem"),
    ],
)
def test_wrong_options(bilad, flowers, tmp_path, arguments, said):
    result = bilad("attack", flowers, *OWN, *arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(said.partition(".*")[0])
    assert said.rpartition(".*")[2] in result.stderr
    assert not (tmp_path / "results").exists()


def test_ctrl_c_keeps_the_best_attack(bilad, flowers, tmp_path, monkeypatch):
    evaluate, calls = LowerLevel.evaluate, itertools.count()

    def interrupted(self, *arguments, **options):
        if next(calls) == 5:
            raise KeyboardInterrupt
        return evaluate(self, *arguments, **options)

    monkeypatch.setattr(LowerLevel, "evaluate", interrupted)
    result = bilad("attack", flowers, *OWN, "--method", "corners", "--budget", 6)
    assert result.exit_code == 130
    assert result.stderr.endswith("interrupted\n")
    kept = tmp_path / "results" / "attack" / "flowers" / "attack.json"
    assert json.loads(kept.read_text())["result"]["termination"] == "interrupted"
