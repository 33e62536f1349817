"""Survival statistics in numpy float64, each from patients or from mergeable sums."""
