"""Sections 3 to 5 of the paper: theorems, examples, deviation functions."""
