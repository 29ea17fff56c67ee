"""Exact solutions of convex clustering problems that separate into lines."""
