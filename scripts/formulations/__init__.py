"""The comparison of formulations; each part is a module."""
