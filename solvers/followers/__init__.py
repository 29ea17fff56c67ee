"""Bilevel models written in Pyomo: their solution, its verification, and its stationarity."""
