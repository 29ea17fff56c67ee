"""The robustness card, and the checks of what is certified."""
