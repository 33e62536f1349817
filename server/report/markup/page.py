"""The sections of a run's page."""

TEMPLATE = """\
{% extends "frame" %}
{% block title %}{{ result.model.title }}: model report{% endblock %}
{% block main %}
{% if classes is none %}
{% include "card" %}
{% include "sites" %}
{% include "budget" %}
{% include "ranking" %}
{% include "survival" %}
{% else %}
{% include "class_card" %}
{% include "class_sites" %}
{% include "class_figures" %}
{% endif %}
{% include "audit" %}
{% include "attacks" %}
{% include "technical" %}
{% endblock %}
"""
"""The order of the sections."""
