"""Figures 4 to 8 of the paper, every step of the Iris ray."""
