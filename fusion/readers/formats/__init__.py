"""The files that tools for slides write, each read as it is."""
