"""Fast evaluations of the deviation at many eps, each with a proof of the labels."""
