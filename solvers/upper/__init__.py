"""Attacks: methods for the upper level of a bilevel problem."""

from bilad.models.learning.learning_model import Answer
from bilad.solvers.bilevel.oracle import Evaluation, LowerLevel
from bilad.solvers.bilevel.result import Attack, Point, Stage
from bilad.solvers.bilevel.stationarity import Stationarity, stationarity
from bilad.solvers.upper.attack import UPPER_METHODS, attack, register_method
from bilad.solvers.upper.deletion import DroppedEdges, DroppedPoints, drop_edges, drop_points
from bilad.solvers.upper.method import new_method, refusal
from bilad.solvers.upper.reformulation import REFORMULATIONS

__all__ = [
    "REFORMULATIONS",
    "UPPER_METHODS",
    "Answer",
    "Attack",
    "DroppedEdges",
    "DroppedPoints",
    "Evaluation",
    "LowerLevel",
    "Point",
    "Stage",
    "Stationarity",
    "attack",
    "drop_edges",
    "drop_points",
    "new_method",
    "refusal",
    "register_method",
    "stationarity",
]
