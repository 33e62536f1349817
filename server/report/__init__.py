"""The report of a run: one page that a person can read, print and keep."""

from server.report.page import render

__all__ = ["render"]
