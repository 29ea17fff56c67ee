"""The partition of an approximate solution: its labels, and the proof that they are right."""
