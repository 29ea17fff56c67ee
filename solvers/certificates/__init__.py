"""What is proved about a partition or an attack."""
