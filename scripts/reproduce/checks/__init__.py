"""The checks that the summary of the paper names as next ones."""
