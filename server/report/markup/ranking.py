"""The forest plot and the other measures."""

TEMPLATE = """\
{% import "macros" as draw %}
<section id="ranking">
<h2>Ranking of patients, overall and site by site</h2>
<p>Harrell's concordance on {{ result.evaluation.split }} patients: the share of comparable pairs
in the right order, 0.5 being chance (dotted line) and 1 perfect. Bars are 95% intervals; the thin
line marks the overall figure; larger dots have more events. Grey rows are too small to be
interpreted.</p>
{% if result.evaluation.pooled.get("noised") %}
<p>Rows marked “with noise” come from counts that left the hospital with noise, to hide each
patient; numbers of patients and events are rounded, and every interval holds sampling and noise
together.</p>
{% endif %}
<div class="wide">
<table class="forest">
<thead><tr><th scope="col">Site</th><th scope="col" class="num">Patients</th>
<th scope="col" class="num">Events</th><td class="picture"></td>
<th scope="col" class="num">Concordance</th><th scope="col" class="num">95% interval</th></tr>
</thead>
<tbody>
{% for row in forest.rows %}
<tr class="{{ row.kind }}"><th scope="row">{{ row.name }}
{%- if row.name in held_out and row.kind not in ("overall", "within") %}
 <span class="tag">not trained on</span>{% endif %}
{%- if row.noised %} <span class="tag">with noise</span>{% endif %}
{%- if row.note %}<span class="note">{{ row.note }}</span>{% endif %}</th>
<td class="num">{{ row.patients | number(0) }}</td><td class="num">{{ row.events | number(0) }}</td>
<td class="picture"><svg class="lines" width="{{ forest.width }}" height="26"
 viewBox="0 0 {{ forest.width }} 26" preserveAspectRatio="none" aria-hidden="true">
<line class="chance" x1="{{ forest.chance_at }}" x2="{{ forest.chance_at }}" y1="0" y2="26"/>
{% if forest.pooled_at is not none %}
<line class="pooled" x1="{{ forest.pooled_at }}" x2="{{ forest.pooled_at }}" y1="0" y2="26"/>
{% endif %}
</svg><svg width="{{ forest.width }}" height="26" viewBox="0 0 {{ forest.width }} 26"
 aria-hidden="true">
{{ draw.mark(row, 13, row.kind in ("overall", "within")) }}
</svg></td>
{{ draw.figure_cells(row.figure) }}</tr>
{% endfor %}
<tr class="ruler"><td colspan="3"></td>
<td class="picture"><svg width="{{ forest.width }}" height="24"
 viewBox="0 0 {{ forest.width }} 24" aria-hidden="true">
<line class="axis" x1="{{ forest.axis.start }}" x2="{{ forest.axis.end }}" y1="1" y2="1"/>
{% for tick in forest.axis.ticks(9) %}
<line class="axis" x1="{{ tick.at }}" x2="{{ tick.at }}" y1="1" y2="5"/>
<text class="tick middle" x="{{ tick.at }}" y="19">{{ tick.label }}</text>
{% endfor %}
</svg></td><td colspan="2"></td></tr>
</tbody>
</table>
</div>
{% set pooled = result.evaluation.pooled %}
<section{% if forest.rows | length < 20 %} class="keep"{% endif %}>
<h3>Other measures</h3>
<p>Uno's concordance corrects for uneven follow-up
{%- if pooled.uno.tau is defined and pooled.uno.tau is not none %}
 (pairs before {{ pooled.uno.tau | span }}
{%- if pooled.uno.censoring_source %}; censoring from
 {{ pooled.uno.censoring_source }}{% endif %})
{%- endif %}. The integrated Brier score is the mean squared error of predicted survival
{%- if pooled.integrated_brier.until_days is defined
 and pooled.integrated_brier.until_days is not none %}
 up to {{ pooled.integrated_brier.until_days | span }}{% endif %}: lower is better, 0.25 is what
a constant one half gives.</p>
<div class="wide">
<table class="even">
<thead><tr><th scope="col">Site</th><th scope="col" class="num">Events</th>
<th scope="col">Uno's concordance (95% interval)</th>
<th scope="col">Integrated Brier score (95% interval)</th></tr></thead>
<tbody>
<tr class="overall"><th scope="row">All test patients together</th>
<td class="num">{{ pooled.events | number(0) }}</td>
<td>{{ draw.figure_text(pooled.uno) }}</td>
<td>{{ draw.figure_text(pooled.integrated_brier) }}</td></tr>
{% for site in result.evaluation.sites %}
<tr class="{{ 'unsure' if not_interpretable(site) else 'site' }}">
<th scope="row">{{ site.name }}</th><td class="num">{{ site.events | number(0) }}</td>
<td>{{ draw.figure_text(site.uno) }}</td>
<td>{{ draw.figure_text(site.integrated_brier) }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
</section>
</section>
"""
"""Concordance overall, within sites and site by site; Uno and Brier beside."""
