"""The command line, the comparisons and the reproduction of the paper."""
