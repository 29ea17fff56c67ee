"""Reproduction of the paper (arXiv 2510.25121), with extensions; each part is a module."""
