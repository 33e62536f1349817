"""What every page of ours begins and ends with, and pieces that pages of results share."""

TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>{% block title %}{% endblock %}</title>
<style>
{{ style | safe }}
</style>
</head>
<body>
<main>
{% block main %}{% endblock %}
</main>
</body>
</html>
"""
"""Head and style; a page extends it and fills `title` and `main`."""

FINGERPRINTS = """\
{% for site in result.sites %}
<tr><th scope="row">data at {{ site.name }}</th>
<td><code>{{ site.data_hash or "none" }}</code></td></tr>
{% endfor %}
</table>
<p class="small">Made from {{ source }}, schema version {{ result.schema_version }}, which holds
every figure of this page. The page loads nothing and runs no script.</p>
"""
"""The end of the table of hashes, and where the page's figures stand; `source` names the file."""
