"""The paper (arXiv 2510.25121) reproduced and carried on: a file for each part, one report."""
