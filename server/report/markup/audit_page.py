"""The page of a re-audit."""

TEMPLATE = """\
{% extends "frame" %}
{% block title %}{{ result.model.title }}: re-audit{% endblock %}
{% block main %}
{% import "macros" as draw %}
<header id="card">
<p class="kicker">Concord re-audit · {{ result.timings.created | moment }}</p>
<h1>{{ result.model.title }} audited again</h1>
<p class="lead">A finished model, of round {{ result.model.round }} of a run at
{{ result.model.trained_at | listing }}, was audited on {{ result.audit.split }} patients of
{{ result.sites | length | count("site") }}. Nothing was trained.</p>
{% if result.audit.split == "train" %}
<p class="absent">These are patients the model was trained with; on others it can do otherwise.</p>
{% endif %}
</header>
{% include "audit" %}
<section id="sites">
<h2>Sites and patients</h2>
<table class="narrow">
<thead><tr><th scope="col">Site</th><th scope="col">In the model's run</th>
<th scope="col" class="num">Patients</th><th scope="col" class="num">
{{- result.audit.split | capitalize }} patients</th>
</tr></thead>
<tbody>
{% for site in result.sites %}
<tr><th scope="row">{{ site.name }}</th>
<td>{{ "yes, with the same data and splits" if site.in_run else "no, not under this name" }}</td>
<td class="num">{{ site.patients.total | number(0) }}</td>
<td class="num">{{ site.patients[result.audit.split] | number(0) }}</td></tr>
{% endfor %}
</tbody>
</table>
<h3>Privacy</h3>
<p>{{ result.privacy.statement }}</p>
{% set ruled = result.sites | selectattr("disclosure", "defined") | selectattr("disclosure") %}
<p class="small">{% for site in ruled %}{{ draw.rounding(site) }}{% endfor %}</p>
{% if result.not_measured %}
<h3>What was not measured</h3>
<ul>
{% for text in result.not_measured %}
<li>{{ text | sentence }}</li>
{% endfor %}
</ul>
{% endif %}
</section>
<section id="technical">
<h2>Technical record</h2>
<dl class="settings">
{% for key, value in result.config.items() %}
<div><dt>{{ key }}</dt><dd>{{ value | setting }}</dd></div>
{% endfor %}
</dl>
<h3>Fingerprints (SHA-256)</h3>
<table class="record hashes">
<tr><th scope="row">{{ result.model.file }}</th><td><code>{{ result.model.sha256 }}</code></td></tr>
{% set source = "audit.json" %}
{% include "fingerprints" %}
</section>
{% endblock %}
"""
"""What was audited, the audit's section, the sites, settings and hashes."""
