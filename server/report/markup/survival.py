"""Kaplan-Meier by risk group, and calibration."""

TEMPLATE = """\
{% import "macros" as draw %}
{% set logrank = result.evaluation.curves.logrank %}
<section id="survival">
<h2>Survival by predicted risk</h2>
{% if survival is none %}
<p class="absent">Not measured: no patient is in a risk group.</p>
{% else %}
<div class="keep">
<p>Test patients divided by their predicted risk, and the share of each group without the event
over time (Kaplan-Meier, shaded 95% intervals
{%- if result.evaluation.pooled.get("noised") %}, which hold the noise that hides each
 patient{% endif %}).
{% if logrank.p_value is none %}
The log-rank test between the groups was {{ logrank | why_not }}.
{% else %}
Log-rank test between the groups: χ² = {{ logrank.statistic | number(1) }} on
{{ logrank.degrees | count("degree") }} of freedom, {{ logrank.p_value | p_value }}.
{% endif %}</p>
<ul class="legend">
{% for group in survival.groups %}
<li class="g{{ loop.index0 % 4 }}"><svg width="30" height="10" aria-hidden="true">
<path class="line g{{ loop.index0 % 4 }}" d="M0 5 H30"/></svg>
{{ group.name }}: {{ group.patients | count("patient") }}, {{ group.events | count("event") }},
{% if group.median is none %}median not reached{% else %}median
{{ (group.median / 365.25) | number(1) }} years{% endif %}</li>
{% endfor %}
</ul>
{% set frame = survival.frame %}
<figure>
<svg viewBox="0 0 {{ frame.width }} {{ frame.height }}" role="img"
 aria-label="Kaplan-Meier curves of {{ survival.groups | map(attribute='name') | listing }};
 the numbers at risk stand in the table below.">
{{ draw.grid(frame) }}
{% for group in survival.groups %}
<path class="band g{{ loop.index0 % 4 }}" d="{{ group.band }}"/>
{% endfor %}
{% for group in survival.groups %}
<path class="line g{{ loop.index0 % 4 }}" d="{{ group.line }}"/>
{% endfor %}
</svg>
<svg viewBox="0 0 {{ frame.width }} {{ 24 + 20 * survival.groups | length }}" role="img"
 aria-label="Patients at risk:
{%- for group in survival.groups %} {{ group.name }}
{%- for tick in frame.x_ticks %} {{ group.at_risk[loop.index0] }} at {{ tick.label }}
{%- if not loop.last %},{% endif %}{% endfor %};{% endfor %} years.">
<text class="title" x="0" y="14">Patients at risk</text>
{% for group in survival.groups %}
{% set row = loop.index0 %}
<line class="key g{{ row % 4 }}" x1="0" x2="18"
 y1="{{ 30 + 20 * row }}" y2="{{ 30 + 20 * row }}"/>
{% for tick in frame.x_ticks %}
<text class="tick middle ink" x="{{ tick.at }}" y="{{ 35 + 20 * row }}">
{{ group.at_risk[loop.index0] }}</text>
{% endfor %}
{% endfor %}
</svg>
</figure>
</div>
{% endif %}
<p class="small">Computed from counts by time bin, event and risk bin, added up over the sites; at a
small site such a count can stand for a single patient. Times are exact to the width of a bin
{%- if result.config.get("evaluation.time-step") is number %}
 ({{ result.config["evaluation.time-step"] | span }}){% endif %}.</p>

<div class="keep">
<h2 id="calibration">Does predicted survival agree with what was seen?</h2>
{% if not calibration %}
<p class="absent">Not measured: no calibration is in the result.</p>
</div>
{% else %}
<p>Test patients grouped by predicted risk: on the diagonal, the predicted and the observed share
without the event agree; below it, the model was too hopeful. Bars are 95% intervals.</p>
<div class="panels three">
{% for horizon in calibration %}
{% set frame = horizon.frame %}
<figure><figcaption>{{ horizon.title }}</figcaption>
<svg viewBox="0 0 {{ frame.width }} {{ frame.height }}" role="img"
 aria-label="Predicted against observed share without the event
 {{ horizon.title }}; the figures stand in the table below.">
{{ draw.grid(frame) }}
<line class="chance" x1="{{ frame.x.start }}" x2="{{ frame.x.end }}"
 y1="{{ frame.y.start }}" y2="{{ frame.y.end }}"/>
{% for mark in horizon.marks %}
<line class="range" x1="{{ mark.x }}" x2="{{ mark.x }}" y1="{{ mark.from }}" y2="{{ mark.to }}"/>
<circle class="point" cx="{{ mark.x }}" cy="{{ mark.y }}" r="4.5"/>
{% endfor %}
</svg></figure>
{% endfor %}
</div>
</div>
<div class="wide">
<table>
<thead><tr><th scope="col">Horizon</th><th scope="col">Group</th>
<th scope="col" class="num">Patients</th><th scope="col" class="num">Predicted</th>
<th scope="col" class="num">Observed</th><th scope="col" class="num">95% interval</th></tr></thead>
<tbody>
{% for horizon in calibration %}
{% for group in horizon.groups %}
<tr{% if loop.first %} class="first"{% endif %}>
<th scope="row">{{ horizon.title if loop.first }}</th><td>{{ group.name }}</td>
<td class="num">{{ group.patients | number(0) }}</td>
<td class="num">{{ group.predicted | percent }}</td>
{% if group.observed is none %}
<td colspan="2" class="absent">{{ group | why_not }}</td>
{% else %}
<td class="num">{{ group.observed | percent }}</td>
<td class="num">{{ group | percent_interval }}</td>
{% endif %}</tr>
{% endfor %}
{% endfor %}
</tbody>
</table>
</div>
{% endif %}
</section>
"""
"""Both from the mergeable counts."""
