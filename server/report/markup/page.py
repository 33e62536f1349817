"""The sections of a run's page."""

TEMPLATE = """\
{% extends "frame" %}
{% block title %}{{ result.model.title }}: model report{% endblock %}
{% block main %}
{% include "card" %}
{% include "sites" %}
{% include "budget" %}
{% include "ranking" %}
{% include "survival" %}
{% include "audit" %}
{% include "attacks" %}
{% include "technical" %}
{% endblock %}
"""
"""The order of the sections."""
