"""The documentation lists every direct dependency with the licence that its metadata name."""

import re
import tomllib
from pathlib import Path

import pytest

from bilad.scripts import licences

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| (\S+) \| (.+) \| (\S+) \|$", re.MULTILINE)
LISTED = {name: (own, part) for name, own, part in ROW.findall(
    (ROOT / "docs" / "licences.md").read_text()
) if name not in ("package", "---")}  # fmt: skip


def test_every_dependency_is_listed_with_what_needs_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"bilad": project["dependencies"], **project["optional-dependencies"]}
    needed = {
        re.match(r"[\w.-]+", text)[0]: part for part, texts in groups.items() for text in texts
    }
    del needed["bilad"]
    assert {name: part for name, (_, part) in LISTED.items()} == needed


def test_the_licences_are_those_of_the_metadata():
    rows = licences.table().set_index("package").licence
    assert (rows != "unknown").all()
    installed = rows[rows != licences.MISSING]
    assert len(installed) > 20
    assert dict(installed) == {name: LISTED[name][0] for name in installed.index}


class Package:
    """What `importlib.metadata` gives for a package: its metadata, and its file of the licence."""

    def __init__(self, fields, file=None):
        self.fields, self.file = fields, file
        self.metadata = self

    def get_all(self, name, default):
        found = self.fields.get(name, default)
        return [found] if isinstance(found, str) else found

    def read_text(self, name):
        return self.file


@pytest.mark.parametrize(
    ("package", "licence"),
    [
        (Package({"License-Expression": "BSD-3-Clause AND MIT"}), "BSD"),
        (Package({"License-Expression": "Apache-2.0 OR BSD-2-Clause"}), "Apache-2.0 or BSD"),
        (Package({"Classifier": ["License :: OSI Approved"], "License": "MIT"}), "MIT"),
        (Package({"License-File": ["LICENSE"]}, "GNU LESSER GENERAL PUBLIC LICENSE"), "LGPL-3.0"),
        (Package({"License-File": ["LICENSE"]}, "  GNU GENERAL PUBLIC LICENSE"), "GPL"),
        (Package({"License-Expression": "AGPL-3.0-only"}), "GPL"),
        (Package({"License": "All rights reserved"}), "unknown"),
        (Package({}), "unknown"),
    ],
)
def test_a_licence_is_read_wherever_it_stands(package, licence, monkeypatch):
    monkeypatch.setattr(licences, "distribution", lambda name: package)
    assert licences.licence("some") == licence
