"""What is learned: readers, models, objectives, survival statistics and the interaction audit."""
