"""Print constraints that pin each direct dependency to the lowest version that is allowed."""

import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
for group in (project["dependencies"], *project["optional-dependencies"].values()):
    for requirement in group:
        if ">=" in requirement:
            print(requirement.replace(">=", "=="))
