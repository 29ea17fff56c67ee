"""Faults that are injected into the commands, and whether the commands survive them."""
