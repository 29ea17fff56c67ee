"""The commands of `bilad`, a file each."""
