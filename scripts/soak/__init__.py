"""Random instances on which methods check one another, for as long as one likes.

`python -m bilad.scripts.soak --minutes 30` draws instances of the checks in `CHECKS` in turn. An
instance is data that JSON can hold; it is drawn from a seed and an index, and examined on its own.
"""
