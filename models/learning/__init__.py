"""Learning models, and the contract that each of them meets."""
