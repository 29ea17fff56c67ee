"""Theorems about a partition or an attack: radii, bounds, recovery, calmness, counterexamples."""
