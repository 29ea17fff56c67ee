"""The robustness summary, and the check of certificates by experiments."""
