"""Fusion models, one file a method; `build` holds the registry."""
