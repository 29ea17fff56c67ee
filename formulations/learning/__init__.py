"""Linear learning models as followers, in Pyomo."""

from bilad.formulations.learning import follower, kkt

__all__ = ["follower", "kkt"]  # imported to register them
