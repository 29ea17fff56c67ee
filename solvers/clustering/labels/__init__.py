"""The partition of an approximate solution, and the proof of its labels."""
