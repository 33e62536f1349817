"""What is learned: readers, models, objectives, survival statistics and the interaction audit."""

__version__ = "0.1.0"
