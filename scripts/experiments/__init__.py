"""Experiments: one specification, one runner, one store, one report."""
