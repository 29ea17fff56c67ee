"""The mixed-integer reformulation, and what decides whether its cells are empty."""
