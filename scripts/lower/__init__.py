"""The instances and the rivals of the benchmark of the lower level."""
