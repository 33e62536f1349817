"""The page that shows a partition."""

STYLE_ADDED = """\
.sites td.picture { width: 1px; padding: 0 18px 0 8px; }
.sites td, .sites tbody th { padding-top: 3px; padding-bottom: 3px; vertical-align: middle; }
.sites svg { display: block; }
.sites tbody tr { border-bottom: 0; }
.sites tbody th { white-space: nowrap; }
.seen { fill: var(--g0); } .unseen { fill: var(--s1); }
.whole { stroke: var(--g0); stroke-width: 1.5; } .half { stroke: var(--g0); stroke-width: 7; }
.centre { fill: #fff; stroke: var(--g0); stroke-width: 2; }
.few { color: var(--g1); font-weight: 600; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(205px, 1fr));
  gap: 14px 20px; }
.curves figure { max-width: 300px; margin: 0; }
.curves figcaption { font-size: 14px; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
.line { stroke-width: 2; } .line.all { stroke: var(--faint); stroke-width: 1.5; }
"""
"""What the report's style lacks."""

TEMPLATE = """\
{% extends "frame" %}
{% import "macros" as draw %}
{% macro held(number, patients) %}
<td class="num{% if not number %} few{% endif %}">{{ (number / patients) | percent(0) }}</td>
{% endmacro %}
{% block title %}Partition: {{ sites | length | count("site") }}{% endblock %}
{% block main %}
<p class="kicker">Partition</p>
<h1>{{ sites | length | count("site") }}, {{ patients | count("patient") }}</h1>
<p class="lead">{{ events | count("event") }}. Sites hold
{{ (sites | map(attribute="patients") | min) | number(0) }} to
{{ (sites | map(attribute="patients") | max) | count("patient") }};
{{ (sites | map(attribute="censored") | min) | percent(0) }} to
{{ (sites | map(attribute="censored") | max) | percent(0) }} of a site's patients are censored.
{% if logrank.p_value is none %}
A log-rank test between the sites was {{ logrank | why_not }}.
{% else %}
Log-rank test between the sites: χ² = {{ logrank.statistic | number(1) }} on
{{ logrank.degrees | count("degree") }} of freedom, {{ logrank.p_value | p_value }}.
{% endif %}</p>
<section id="sites">
<h2>Patients, events and what was measured</h2>
<ul class="legend">
<li><svg width="16" height="12" aria-hidden="true"><rect class="seen" width="14" height="12"/></svg>
patients with the event</li>
<li><svg width="16" height="12" aria-hidden="true"><rect class="unseen" width="14" height="12"/>
</svg>censored patients</li>
<li><svg width="60" height="12" aria-hidden="true">
<line class="whole" x1="2" x2="58" y1="6" y2="6"/><line class="half" x1="16" x2="42" y1="6" y2="6"/>
<circle class="centre" cx="28" cy="6" r="4"/></svg>
times of events: median, middle half, middle 80%</li>
<li>slides, omics: share of the patients who have them</li>
</ul>
<div class="wide">
<table class="sites">
<thead><tr><th scope="col">Site</th><th scope="col" class="num">Patients</th>
<th scope="col" class="num">Events</th><td></td>
<th scope="col" class="num">Censored</th><th scope="col">Times of events (years)</th>
<th scope="col" class="num">Slides</th><th scope="col" class="num">Omics</th></tr></thead>
<tbody>
{% for site in sites %}
<tr><th scope="row">{{ site.name }}</th><td class="num">{{ site.patients | number(0) }}</td>
<td class="num{% if not site.events %} few{% endif %}">{{ site.events | number(0) }}</td>
<td class="picture"><svg width="100" height="22" aria-hidden="true">
<rect class="unseen" width="{{ site.bar.patients }}" y="5" height="12"/>
<rect class="seen" width="{{ site.bar.events }}" y="5" height="12"/></svg></td>
<td class="num">{{ site.censored | percent(0) }}</td>
<td class="picture"><svg width="{{ row }}" height="22" aria-hidden="true">
{% if site.box %}
<line class="whole" x1="{{ site.box.p10 }}" x2="{{ site.box.p90 }}" y1="11" y2="11"/>
<line class="half" x1="{{ site.box.p25 }}" x2="{{ site.box.p75 }}" y1="11" y2="11"/>
<circle class="centre" cx="{{ site.box.median }}" cy="11" r="4"/>
{% else %}
<text x="8" y="15">no event</text>
{% endif %}
</svg></td>
{{ held(site.with_slides, site.patients) }}{{ held(site.with_omics, site.patients) }}</tr>
{% endfor %}
<tr><td colspan="5"></td><td class="picture"><svg width="{{ row }}" height="24" aria-hidden="true">
<line class="axis" x1="{{ years.start }}" x2="{{ years.end }}" y1="1" y2="1"/>
{% for tick in years.ticks(7) %}
<line class="axis" x1="{{ tick.at }}" x2="{{ tick.at }}" y1="1" y2="5"/>
<text class="tick middle" x="{{ tick.at }}" y="19">{{ tick.label }}</text>
{% endfor %}
</svg></td><td colspan="2"></td></tr>
</tbody>
</table>
</div>
</section>
<section id="curves">
<h2>Share without the event over the years</h2>
<p>Kaplan-Meier curve of each site (blue) and of all patients together (grey).</p>
<svg width="0" height="0" aria-hidden="true">
<defs><path id="everybody" class="line all" d="{{ everybody }}"/></defs></svg>
<div class="curves">
{% for site in sites %}
<figure><figcaption>{{ site.name }}
<span class="muted">{{ site.patients | number(0) }} / {{ site.events | number(0) }}</span>
</figcaption>
<svg viewBox="0 0 {{ frame.width }} {{ frame.height }}" role="img"
 aria-label="Kaplan-Meier curve of {{ site.name }} and of all patients.">
{{ draw.grid(frame) }}
<use href="#everybody"/>
<path class="line g0" d="{{ site.curve }}"/>
</svg></figure>
{% endfor %}
</div>
<p class="small">Beside each name: patients / events. The steps of a curve are patients' own times:
keep this page where the site folders are.</p>
</section>
{% endblock %}
"""
"""The page; `macros` are the report's."""
