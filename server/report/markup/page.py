"""The page around the sections."""

TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>{{ result.model.title }}: model report</title>
<style>
{{ style | safe }}
</style>
</head>
<body>
<main>
{% include "card" %}
{% include "sites" %}
{% include "ranking" %}
{% include "survival" %}
{% include "audit" %}
{% include "technical" %}
</main>
</body>
</html>
"""
"""Head, style and the order of the sections."""
