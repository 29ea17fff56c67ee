"""The lower level: the learning model at fixed data."""
