"""Nonlinear programming engines."""
