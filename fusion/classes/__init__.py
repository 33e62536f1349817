"""Figures of a model of classes, from counts that add up over sites."""
