"""The questions that the paper leaves open."""
