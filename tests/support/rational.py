"""Convex clustering on a line, solved in rational arithmetic.

Two independent ways. Neither shares an idea with the solvers under test except the model.
"""

import itertools
from fractions import Fraction


def solve_complete(a, radius):
    """Equal radii on every pair: pool adjacent violators. Return x, a list of Fractions."""
    n, radius = len(a), Fraction(radius)
    order = sorted(range(n), key=lambda i: a[i])
    blocks = []  # [sum, points]
    for rank, i in enumerate(order):
        blocks.append([Fraction(a[i]) - radius * (2 * rank + 1 - n), [i]])
        while len(blocks) > 1 and _mean(blocks[-2]) >= _mean(blocks[-1]):
            total, points = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += points
    x = [None] * n
    for block in blocks:
        for i in block[1]:
            x[i] = _mean(block)
    return x


def _mean(block):
    return block[0] / len(block[1])


def solve_graph(a, edges, radii):
    """Any graph, few points: split by the best of all cuts. Return x, a list of Fractions.

    With c the mean of the terms of a set of points, the points above c are those of the subset
    that maximises the sum of (a_i - c) less the cut that separates it (brute force, 2^n).
    """
    joined = {tuple(edge): Fraction(radius) for edge, radius in zip(edges, radii, strict=True)}
    x = [None] * len(a)

    def split(points, terms):
        mean = sum(terms[i] for i in points) / len(points)
        inside = [(i, j, r) for (i, j), r in joined.items() if i in terms and j in terms]
        best, upper = Fraction(0), None
        for size in range(1, len(points)):
            for subset in itertools.combinations(points, size):
                members = set(subset)
                value = sum(terms[i] - mean for i in subset)
                value -= sum(r for i, j, r in inside if (i in members) != (j in members))
                if value > best:
                    best, upper = value, members
        if upper is None:
            for i in points:
                x[i] = mean
            return
        above = {i: terms[i] for i in points if i in upper}
        below = {i: terms[i] for i in points if i not in upper}
        for i, j, r in inside:
            if (i in upper) != (j in upper):
                high, low = (i, j) if i in upper else (j, i)
                above[high] -= r
                below[low] += r
        split(list(above), above)
        split(list(below), below)

    split(list(range(len(a))), {i: Fraction(value) for i, value in enumerate(a)})
    return x


def duality_gap(a, edges, radii, x, z):
    """Return the primal less the dual objective at x and a feasible z, of the doubles given."""
    rest = [Fraction(value) - Fraction(datum) for value, datum in zip(x, a, strict=True)]
    gap = Fraction(0)
    for (i, j), radius, flow in zip(edges, radii, z, strict=True):
        flow, difference = Fraction(flow), Fraction(x[i]) - Fraction(x[j])
        rest[i] += flow
        rest[j] -= flow
        gap += Fraction(radius) * abs(difference) - flow * difference
    return gap + sum(value**2 for value in rest) / 2


def dual_norm_squared(normal, norm):
    """Return the square of max <normal, eps> over ||eps|| <= 1, norm 1, 2 or inf of eps."""
    sizes = [abs(value) for value in normal]
    if norm == 2:
        return sum(size**2 for size in sizes)
    return (max(sizes) if norm == 1 else sum(sizes)) ** 2
