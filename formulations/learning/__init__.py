"""Linear learning models as followers, in Pyomo."""

from bilad.formulations.learning import follower as _follower  # noqa: F401 (registers)
