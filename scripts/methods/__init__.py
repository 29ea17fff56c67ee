"""The comparison of every method: its instances, runs, scores, tables and pictures."""
