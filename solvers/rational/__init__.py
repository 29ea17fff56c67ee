"""Convex clustering on lines, in exact arithmetic: doubles are rationals.

They are the features for p = 1 or d = 1, and their sum and difference for p = inf and d = 2.
"""
