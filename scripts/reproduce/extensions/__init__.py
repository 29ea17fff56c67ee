"""Beyond the paper: the next checks that its summary proposes, and its open questions."""
