"""Helpers of the tests, imported as `support`: pytest adds the folder `tests` to the path."""
