"""Convex clustering on lines, p = 1 or d = 1, in exact arithmetic: doubles are rationals."""
