"""SSNAL: the semismooth Newton based augmented Lagrangian method."""
