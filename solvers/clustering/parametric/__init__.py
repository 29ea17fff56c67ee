"""Every step of the partition along a ray: exact where the norm separates, bracketed elsewhere."""
