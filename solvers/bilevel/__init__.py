"""A bilevel problem as a single-level model is solved: oracle, continuation, recomputation."""
