"""The upper level: attacks."""
