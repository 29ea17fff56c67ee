"""Soundness of a partition against the truth, and pairs near a solution. Reached as fixtures."""

import itertools

import pytest


def _check_sound(partition, x):
    """Compare with the truth x, one hashable value per point; return whether all is proved."""
    labels, undecided = partition.labels, partition.undecided
    assert undecided.shape[1] == 2
    assert (undecided[:, 0] >= 0).all()
    assert (undecided[:, 0] < undecided[:, 1]).all()
    assert (undecided[:, 1] < len(x)).all()
    first = list(dict.fromkeys(labels.tolist()))
    assert first == list(range(len(first))), "not numbered by first appearance"
    open_labels = set(labels[undecided].ravel().tolist())
    for i, j in itertools.combinations(range(len(x)), 2):
        if labels[i] != labels[j]:
            assert x[i] != x[j], f"{i} and {j} wrongly proved apart"
        elif labels[i] not in open_labels:
            assert x[i] == x[j], f"{i} and {j} wrongly proved together"
    for i, j in undecided:
        assert labels[i] == labels[j], "an undecided pair is labelled apart"
    assert partition.proved == (len(undecided) == 0)
    assert not (partition.proved and partition.why)
    return partition.proved


def _near_solutions(rng, X, Z, blocks, noise):
    """Noise in every entry, and noise that keeps the blocks but moves each as a whole."""
    yield X + noise * rng.normal(size=X.shape), Z + noise * rng.normal(size=Z.shape)
    yield X + noise * rng.normal(size=(blocks.max() + 1, X.shape[1]))[blocks], Z
    yield X, Z + noise * rng.normal(size=Z.shape)


@pytest.fixture(scope="session")
def check_sound():
    return _check_sound


@pytest.fixture(scope="session")
def near_solutions():
    return _near_solutions
