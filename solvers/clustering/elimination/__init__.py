"""Sparse Cholesky factorisations of M + B'HB on the pattern of a graph."""
