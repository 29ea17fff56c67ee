"""Table 1 of the paper, in our settings."""
