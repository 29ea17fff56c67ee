"""The exact test and the exact interval, against closed forms, the solver, and rational truth."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import problems, rational

from bilad.models import ConvexClustering, FusionGraph, load_dataset
from bilad.models.learning.recovery import recovery_interval
from bilad.solvers import cluster
from bilad.solvers.certificates import recovery_gammas
from bilad.solvers.certificates.recovery_gammas import exact_recovery_interval, is_recovered

INF = float("inf")
NORMS = (1, 2, INF)


def closed_form(a, labels, weight=1.0):
    """The interval [low, high) on a line with equal weights, clusters contiguous and in order.

    Inside a cluster every cut needs n_k w gamma >= mean above it - mean below it. Between
    neighbours, y_k = abar_k + gamma w (number above - number below), until two meet.
    """
    groups = [np.sort(a[labels == k]) for k in np.unique(labels)]
    cuts = [(g[j:].mean() - g[:j].mean()) / len(g) for g in groups for j in range(1, len(g))]
    meets = [(h.mean() - g.mean()) / (len(g) + len(h)) for g, h in itertools.pairwise(groups)]
    return max(cuts, default=0.0) / weight, min(meets, default=INF) / weight


def brackets(interval, low, high, width=1e-6):
    """Whether the ends are where they should be, each bracketed as narrowly as was asked."""
    slack = 1e-12
    lower = interval.below - slack <= low <= interval.low * (1 + slack)
    upper = interval.high * (1 - slack) <= high <= interval.above * (1 + slack)
    narrow = interval.low - interval.below <= width * max(interval.low, slack)
    return lower and upper and narrow


def iris(features, gamma, p=2):
    data = 10 * load_dataset("iris").data[:100, features]
    return ConvexClustering(data, FusionGraph.complete(100), gamma, p), np.repeat([0, 1], 50)


@pytest.mark.parametrize("gamma", [0.1, 1.0, 0.0])
def test_iris_exact_interval(gamma):
    """[237/2450, 0.108): (18 - 645/49) / 50, the cut below the largest of the second species, and
    the difference of the means over 100. Theorem 1 cannot tell for any gamma."""
    model, labels = iris([3], gamma)
    low, high = closed_form(model.data[:, 0], labels)
    assert low == pytest.approx(237 / 2450, rel=1e-12)
    assert high == pytest.approx(0.108, rel=1e-12)
    found = exact_recovery_interval(model, labels, width=1e-9)
    assert brackets(found, low, high, 1e-9)
    assert found.above - found.high <= 1e-9
    assert found.gapless
    assert found.complete
    assert not recovery_interval(model, labels).holds_c2


@pytest.mark.parametrize("p", NORMS)
def test_equal_weights_on_a_line(p):
    found_some = []

    @settings(max_examples=20)
    @given(
        st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), min_size=1, max_size=4),
        st.sampled_from([0.25, 1.0, 1 / 3]),
        st.sampled_from([0.0, 0.05, 1.0]),
    )
    def check(groups, weight, gamma):
        """Unbalanced clusters, 12 apart; an interval, or none at all."""
        labels = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
        assume(len(labels) > 1)
        a = np.concatenate([12.0 * k + np.array(g) for k, g in enumerate(groups)])
        model = ConvexClustering(a[:, None], FusionGraph.complete(len(a), weight), gamma, p)
        low, high = closed_form(a, labels, weight)
        found = exact_recovery_interval(model, labels)
        if found is None:
            assert low >= high * (1 - 1e-6)
            return
        assert brackets(found, low, high)
        assert found.complete
        found_some.append(found)

    check()
    assert len(found_some) > 5


@pytest.mark.parametrize("p", NORMS)
def test_the_exact_test_agrees_with_the_solver(p):
    """Any weights and data, ties and duplicates; the right partition and wrong ones."""
    outcomes = []

    @settings(max_examples=8)
    @given(problems.models(p=p, max_n=7), st.integers(0, 2**16))
    def check(model, seed):
        rng = np.random.default_rng(seed)
        solved = cluster(model, refine=True)
        moved = solved.labels.copy()
        moved[rng.integers(model.n)] = moved[rng.integers(model.n)]
        for labels in (solved.labels, moved, rng.integers(0, 3, size=model.n)):
            if solved.proved:
                same = problems.same_partition(labels, solved.labels)
                assert is_recovered(model, labels) is same
                outcomes.append(same)

    check()
    assert set(outcomes) == {True, False}


def test_verdicts_against_rational_truth():
    """Never a wrong yes or no, ties included; none only where a cut or a meeting is a tie."""
    verdicts = []

    @settings(max_examples=15)
    @given(problems.models(d=1, max_n=6, graph=problems.complete_graphs), st.data())
    def check(model, data):
        x = rational.solve_complete(model.data[:, 0].tolist(), model.radii[0])
        values = sorted(set(x))
        truth = np.array([values.index(value) for value in x])
        other = truth.copy()
        other[data.draw(st.integers(0, model.n - 1))] = data.draw(st.integers(0, len(values)))
        for labels in (truth, other):
            verdict = is_recovered(model, labels)
            assert verdict in (None, problems.same_partition(labels, truth))
            verdicts.append(verdict)

    check()
    assert {True, False} <= set(verdicts)
    assert np.mean([verdict is None for verdict in verdicts]) < 0.2


@pytest.mark.parametrize("p", NORMS)
def test_general_weights_in_the_plane(p):
    """Nothing is proved between the gammas tested, and the result says so."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [8, 3, 5])
    A = 4 * np.array([[0, 0], [1, 0], [0, 1]])[labels] + 0.3 * rng.normal(size=(16, 2))
    model = ConvexClustering(A, FusionGraph.knn(A, k=8, phi=0.2), 1.0, p)
    found = exact_recovery_interval(model, labels)
    assert found.low < found.high
    assert found.high - found.low > 1e-3 * found.high
    assert found.low - found.below <= 1e-4 * found.low
    assert found.above - found.high <= 1e-4 * found.high
    assert not found.gapless
    assert not found.complete
    for gamma, returned in [
        (found.below, False),
        (found.low, True),
        ((found.low + found.high) / 2, True),
        (found.high, True),
        (found.above, False),
    ]:
        there = cluster(ConvexClustering(A, model.graph, gamma, p), "clarabel", tol=1e-11)
        if there.proved:
            alike = np.array_equal(there.labels[:, None] == there.labels, labels[:, None] == labels)
            assert alike == returned


def test_zero_weights_and_coinciding_points():
    """Two pairs of equal points; one pair is not joined, and an outer point pulls one of it."""
    A = np.array([[0.0], [0.0], [4.0], [4.0]])
    graph = FusionGraph(4, [[0, 2], [2, 3]], [1.0, 0.0])
    model = ConvexClustering(A, graph, 0.5)
    assert is_recovered(model, [0, 1, 2, 3])
    assert is_recovered(model, [0, 0, 2, 2]) is False
    assert is_recovered(model.with_graph(FusionGraph(4, [[0, 2]], [0.0])), [0, 0, 2, 2])
    found = exact_recovery_interval(model, [0, 1, 2, 3])  # 0 and 2 meet at gamma = 2
    assert found.below == 0
    assert 0 < found.low < 1e-3
    assert found.high <= 2 <= found.above * (1 + 1e-12)


def test_coinciding_centroids_are_never_apart():
    A = np.array([[-1.0], [1.0], [-2.0], [2.0]])
    model = ConvexClustering(A, FusionGraph.complete(4), 0.3)
    assert is_recovered(model, [0, 0, 1, 1]) is False
    assert exact_recovery_interval(model, [0, 0, 1, 1]) is None


def test_a_partition_that_comes_twice():
    """General weights: {2}, {3}, {1, 4, 5} at about 0.28 to 0.41 and 1.4 to 3.4, not between."""
    A = np.array([[1.0], [10.0], [0.0], [2.0], [2.0]])
    pairs = np.array(list(itertools.combinations(range(5), 2)))
    weights = [1.0, 0.25, 0.0, 0.0, 1.0, 0.0, 0.25, 4.0, 1.0, 4.0]
    labels = [0, 1, 2, 2, 2]
    found = {}
    for gamma in (0.35, 2.0):
        model = ConvexClustering(A, FusionGraph(5, pairs, weights), gamma)
        assert is_recovered(model, labels)
        found[gamma] = exact_recovery_interval(model, labels)
        assert found[gamma].low < gamma < found[gamma].high
        assert found[gamma].gapless
        assert not found[gamma].complete
        for share in (1e-9, 0.2, 0.7, 1 - 1e-9):
            inside = found[gamma].low + share * (found[gamma].high - found[gamma].low)
            there = ConvexClustering(A, model.graph, inside)
            assert is_recovered(there, labels) is not False
    assert found[0.35].above < found[2.0].below
    between = ConvexClustering(A, model.graph, 0.7)
    assert is_recovered(between, labels) is False


@pytest.mark.parametrize("p", NORMS)
def test_clusters_not_joined_stay_for_ever(p):
    A = np.array([[0.0, 0.0], [1.0, 0.5], [5.0, 5.0], [5.5, 6.0]])
    model = ConvexClustering(A, FusionGraph(4, [[0, 1], [2, 3]], [1.0, 2.0]), 10.0, p)
    found = exact_recovery_interval(model, [0, 0, 1, 1])
    low = {1: 0.5, 2: np.sqrt(1.25) / 2, INF: 0.75}[p]  # ||u||_q / (2 w) for the first pair
    assert brackets(found, low, INF)
    assert found.gapless
    assert found.complete
    assert (found.high, found.above) == (INF, INF)


@pytest.mark.parametrize("p", NORMS)
def test_two_points_in_the_plane(p):
    """They meet at gamma = ||a - b||_q / 2; before, and from 0 on, they are apart."""
    A = np.array([[0.0, 0.0], [3.0, 4.0]])
    meet = {1: 4.0, 2: 5.0, INF: 7.0}[p] / 2
    model = ConvexClustering(A, FusionGraph.complete(2), 1.0, p)
    apart, together = (exact_recovery_interval(model, labels) for labels in ([0, 1], [0, 0]))
    assert (apart.below, apart.low) == (0, 0)
    assert apart.high < meet < apart.above * (1 + 1e-12)
    assert together.below <= meet <= together.low
    assert (together.low - together.below) <= 1e-5 * meet
    assert together.high == INF


@pytest.mark.parametrize("p", NORMS)
def test_the_theorems_interval_is_inside_the_exact_one(p):
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1, 2], [2, 7, 4])
    A = 8 * np.array([[0, 0], [1, 0], [0, 1]])[labels] + 0.2 * rng.normal(size=(13, 2))
    model = ConvexClustering(A, FusionGraph.complete(13), 0.0, p)
    theorem, exact = recovery_interval(model, labels), exact_recovery_interval(model, labels)
    assert theorem.holds_c2
    assert exact.low <= theorem.gamma_min * (1 + 1e-6)
    assert exact.high >= theorem.gamma_max * (1 - 1e-6)
    assert exact.complete


@pytest.mark.slow
@pytest.mark.parametrize("p", [1, INF])
def test_iris_with_all_features(p):
    model, labels = iris([0, 1, 2, 3], 0.1, p)
    found = exact_recovery_interval(model, labels, width=1e-4)
    for share in (1e-3, 0.5, 1 - 1e-3):
        gamma = found.low + share * (found.high - found.low)
        there = ConvexClustering(model.data, model.graph, gamma, p)
        assert cluster(there).labels.tolist() == labels.tolist()
    assert found.complete == (p == 1)


@pytest.mark.slow
def test_iris_with_all_features_is_never_recovered_for_p_2():
    """Its clusters hold from gamma = 0.3225 on, and meet at ||abar_1 - abar_2|| / n = 0.3208."""
    model, labels = iris([0, 1, 2, 3], 0.1, 2)
    assert exact_recovery_interval(model, labels, width=1e-4) is None


@pytest.mark.parametrize("width", [1e-16, 1e-300, 5e-324])
def test_a_width_below_double_precision_ends_at_neighbouring_doubles(width):
    data = np.array([0.0, 0.1, 1.0, 1.1, 3.0])[:, None]
    model = ConvexClustering(data, FusionGraph.complete(5, 0.1), 0.3)
    found = exact_recovery_interval(model, [0, 0, 1, 1, 2], width)
    assert found.below < found.low == pytest.approx(0.5, rel=1e-12)
    assert found.above > found.high == pytest.approx(2.5, rel=1e-12)
    assert found.solves < 300


@given(st.integers(0, 2**32 - 1))
def test_proved_pairs_determine_or_exclude_a_partition(seed):
    """Against all partitions that may be true: any of the points with undecided pairs may part."""
    rng = np.random.default_rng(seed)
    labels = np.unique(rng.integers(0, 3, 6), return_inverse=True)[1]
    clusters = np.unique(rng.integers(0, 3, 6), return_inverse=True)[1]
    clusters = labels if rng.random() < 0.3 else clusters
    open_labels = np.flatnonzero(np.bincount(labels) > 1)[: rng.integers(0, 3)]
    pairs = [np.flatnonzero(labels == k)[:2] for k in open_labels]
    undecided = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    found = recovery_gammas._compare(
        SimpleNamespace(labels=labels, undecided=undecided, proved=not len(undecided)), clusters
    )
    same, wanted = labels[:, None] == labels, clusters[:, None] == clusters
    decided = same & ~np.isin(labels, open_labels)
    excluded = (wanted & ~same).any() or (decided & ~wanted).any()
    assert found is (False if excluded else True if not len(undecided) else None)


def fake(low, high, unsure=0.0, unjoined=False):
    """A test that is passed in [low, high), and undecided within a relative distance of an end."""
    asked = []

    def returns(gamma):
        asked.append(gamma)
        if any(abs(gamma - end) <= unsure * end for end in (low, high) if 0 < end < INF):
            return None
        return low <= gamma < high

    return SimpleNamespace(returns=returns, unjoined=unjoined, asked=asked)


@pytest.mark.parametrize("unsure", [0.0, 1e-4])
@pytest.mark.parametrize(("low", "high"), [(0.3, 7.0), (1e-5, 1e5), (0.99, 1.01)])
def test_both_ends_are_bracketed(low, high, unsure):
    test = fake(low, high, unsure)
    below, least = recovery_gammas._lower_end(test, 1.0, 1e-6)
    most, above = recovery_gammas._upper_end(test, 1.0, 1e-6)
    assert below < low <= least <= most < high <= above
    slack = max(1e-6, 20 * unsure)
    assert least - below <= slack * least
    assert above - most <= slack * above
    assert len(test.asked) < 90


def test_ends_that_are_not_there():
    assert recovery_gammas._lower_end(fake(0.0, 9.0), 1.0, 1e-6) == (0.0, 0.0)
    assert recovery_gammas._lower_end(fake(0.0, 9.0), 0.0, 1e-6) == (0.0, 0.0)
    below, low = recovery_gammas._lower_end(fake(1e-300, 9.0), 1.0, 1e-6)
    assert below == 0
    assert 0 < low < 1e-6
    assert recovery_gammas._upper_end(fake(0.5, INF, unjoined=True), 1.0, 1e-6) == (INF, INF)
    high, above = recovery_gammas._upper_end(fake(0.5, INF), 1.0, 1e-6)
    assert above == INF
    assert 1e6 < high < INF
    most, above = recovery_gammas._upper_end(fake(0.0, 3.0), 0.0, 1e-6)
    assert most < 3 <= above <= most * (1 + 1e-5)


def test_gammas_between_two():
    between = recovery_gammas._between
    assert between(1.0, 4.0, 0.5) == pytest.approx(2.0)
    assert between(1.0, 32.0, 0.4) == pytest.approx(4.0)
    assert between(0.0, 4.0, 0.5) == 0.5
    assert between(2.0, math.inf, 0.5) == 16.0


@pytest.mark.parametrize(
    ("p", "d", "equal", "never"),
    [(1, 3, True, True), (2, 3, True, True), (INF, 2, True, True), (INF, 1, True, True),
     (INF, 3, True, False), (1, 1, False, False), (2, 2, False, False)],
)  # fmt: skip
def test_where_clusters_never_split(p, d, equal, never):
    weights = [1.0, 1.0, 1.0 if equal else 2.0]
    graph = FusionGraph(3, [[0, 1], [0, 2], [1, 2]], weights)
    model = ConvexClustering(np.arange(3.0 * d).reshape(3, d), graph, 1.0, p)
    assert recovery_gammas._never_splits(model) == never
