"""What is solved: pure mathematics and data."""
