"""The same problem, rewritten for a modelling language."""
