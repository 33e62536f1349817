"""Which sites were not audited, and whose donors stood for hidden kinds of data."""

TEMPLATE = """\
{% if audit.get("note") %}
<p>{{ audit.note }} Donors:
{% for name, number in audit.donors.items() %}
{{ name }} {{ number }}
{%- if number < audit.donors_wanted %} (all it has of {{ audit.donors_wanted }} wanted){% endif %}
{{- "." if loop.last else "," }}
{% endfor %}</p>
{% endif %}
{% for one in audit.get("not_audited", []) %}
<p class="absent">{{ one.name }} was not audited: {{ one.reason }}.</p>
{% endfor %}
{% for one in audit.get("suppressed", []) %}
<p class="absent">{{ one.name }} is not shown alone: {{ one.reason }}.</p>
{% endfor %}
"""
"""Below the introduction of the audit's section."""

SCALES = """\
{% if audit.get("scales") %}
<section class="keep">
<h3>The same on {{ "the scale of probabilities" if of_classes else "scales that read time" }}</h3>
<p>{{ audit.scales[0].warning }}</p>
<table class="narrow">
<thead><tr><th scope="col">Scale</th><th scope="col" class="num">Years</th>
<th scope="col" class="num">Together</th><th scope="col" class="num">95% interval</th></tr></thead>
<tbody>
<tr class="overall"><th scope="row">{{ "logit" if of_classes else "log-hazard" }}</th>
<td class="num">{{ "–" if of_classes else "any" }}</td>
{% set figure = audit.shares.local %}
<td class="num strong">{{ figure.value | percent }}</td>
<td class="num">{{ figure | percent_interval }}</td></tr>
{% for scale in audit.scales %}
{% set figure = scale.shares.local %}
<tr><th scope="row">{{ scale.scale | replace("-", " ") }}</th>
<td class="num">{{ "–" if of_classes else (scale.horizon_days / 365.25) | number(1) }}</td>
{% if figure.value is none %}
<td colspan="2" class="absent">{{ figure | why_not }}</td>
{% else %}
<td class="num strong">{{ figure.value | percent }}</td>
<td class="num">{{ figure | percent_interval }}</td>
{% endif %}</tr>
{% endfor %}
</tbody>
</table>
</section>
{% endif %}
"""
"""Shares of cumulative hazard and survival, where the settings ask for them."""
