"""Where the features of one slide lie: a file of its own, or rows of a file for all slides."""

from fusion.readers.formats.parquet import SlideRows
from fusion.readers.formats.registry import SlideFile

Slide = SlideFile | SlideRows
"""Both have a `name`, a `format`, a `mark` for the fingerprint, and `open(width)`."""
