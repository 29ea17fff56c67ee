"""The mixed-integer reformulation of convex clustering, and tests whether its cells are empty."""
