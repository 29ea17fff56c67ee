"""The comparison of formulations: a file a part."""
