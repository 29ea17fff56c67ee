"""Figures 4 to 8 of the paper, computed from the parametric path of the Iris setting."""
