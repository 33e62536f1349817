"""The audit over the rounds, and the alerts at the head of the audit's section."""

TEMPLATE = """\
{% macro lines(picture, dots=2.5) %}
{% for line in picture.lines if line.band %}
<path class="band {{ line.kind }}" d="{{ line.band }}"/>
{% endfor %}
{% for line in picture.lines %}
<path class="line {{ line.kind }}" d="{{ line.path }}"/>
<circle class="dot {{ line.kind }}" cx="{{ line.dot[0] }}" cy="{{ line.dot[1] }}" r="{{ dots }}"/>
{% endfor %}
{% endmacro %}

{% macro alerts(found) %}
<div class="alerts{{ "" if found.closing or found.rounds else " none" }}">
<h3>Alerts</h3>
{% if found.closing or found.rounds %}
<ul>
{% for one in found.closing %}
<li><b>{{ one.sentence }}</b></li>
{% endfor %}
{% for one in found.rounds %}
<li>{{ one.sentence }}{% if one.before %} <span class="muted">Before in round
{{ one.before }}.</span>{% endif %}</li>
{% endfor %}
</ul>
{% if found.more %}
<p class="small">{{ found.more }} more stand in result.json.</p>
{% endif %}
{% else %}
<p>None: no figure lies with its whole 95% interval beyond a threshold of the settings
(<code>alerts</code>). A figure of few patients has a wide interval and raises none.</p>
{% endif %}
</div>
{% endmacro %}

{% macro over_rounds(trace, draw) %}
<section class="keep">
<h3>Over the rounds</h3>
<p>The same, of the model of each audited round, on {{ trace.split }} patients, with a hidden kind
of data replaced by “{{ trace.background }}”. Bands are 95% intervals.
{%- if trace.left_out %} {{ trace.left_out }} audited rounds in between stand in result.json
only.{% endif %}</p>
<ul class="legend">
<li><span class="chip c0"></span>together</li>
{% for name in trace.legend %}
<li><span class="chip c{{ loop.index }}"></span>{{ name }} alone</li>
{% endfor %}
</ul>
<div class="panels three">
{% for panel in trace.panels %}
<figure><figcaption>{{ panel.title }}</figcaption>
<svg viewBox="0 0 {{ panel.frame.width }} {{ panel.frame.height }}" role="img"
 aria-label="{{ panel.title }} over the rounds; the figures stand in the table below.">
{{ draw.grid(panel.frame) }}
{{ lines(panel, 3) }}
</svg></figure>
{% endfor %}
</div>
</section>
<div class="wide">
<table class="rounds">
<thead><tr><th scope="col">Round</th><th scope="col" class="num">Patients</th>
<th scope="col" class="num">Together</th><th scope="col" class="num">95% interval</th>
{% for name in trace.legend %}
<th scope="col" class="num">{{ name | capitalize }}</th>
{% endfor %}
<th scope="col" class="num">{{ trace.ranking }}</th>
<th scope="col" class="num">95% interval</th></tr></thead>
<tbody>
{% for row in trace.table %}
<tr><th scope="row">{{ row.round }}</th><td class="num">{{ row.patients | number(0) }}</td>
<td class="num strong">{{ row.figure.value | percent }}</td>
<td class="num">{{ row.figure | percent_interval }}</td>
{% for share in row.shares %}
<td class="num">{{ share | percent }}</td>
{% endfor %}
<td class="num strong">{{ row.concordance.value | number }}</td>
<td class="num">{{ row.concordance | interval }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
{% if trace.sites | length > 1 %}
<section{% if trace.sites | length < 12 %} class="keep"{% endif %}>
<h4>Site by site, rounds {{ trace.first }} to {{ trace.last }}</h4>
<div class="wide">
<table class="small-multiples">
<thead><tr><th scope="col">Site</th><th scope="col" class="num">Patients</th>
{% for panel in trace.panels %}
<th scope="col">{{ panel.title }}<br><span class="muted">
{%- set digits = 2 if loop.last else 0 -%}
{{ trace.ranges[loop.index0][0] | number(digits) }} to
{{ trace.ranges[loop.index0][1] | number(digits) }}</span></th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in trace.sites %}
<tr{% if loop.first %} class="overall"{% endif %}><th scope="row">{{ row.name }}</th>
<td class="num">{{ row.patients | number(0) }}</td>
{% for cell in row.cells %}
<td class="spark">
{% if cell.lines %}
<svg width="{{ cell.frame.width }}" height="{{ cell.frame.height }}"
 viewBox="0 0 {{ cell.frame.width }} {{ cell.frame.height }}" aria-hidden="true">
<line class="grid" x1="{{ cell.frame.x.start }}" x2="{{ cell.frame.x.end }}"
 y1="{{ cell.frame.y.start }}" y2="{{ cell.frame.y.start }}"/>
{{ lines(cell) }}
</svg><span>{% for line in cell.lines %}
<span class="ink-{{ line.kind }}">
{{- line.last | number(3 if line.kind == "g0" else 0) }}</span>{{ " " if not loop.last }}
{%- endfor %}</span>
{% else %}
<span class="absent">no figure</span>
{% endif %}
</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
<p class="small">All rows share one axis for each column, whose ends stand at its head; the number
beside a picture is that of the last audited round.</p>
</section>
{% endif %}
{% endmacro %}
"""
"""Panels and a table of all sites, then small pictures site by site."""
