"""The contracting interior-point method for p = 2 and few features."""
