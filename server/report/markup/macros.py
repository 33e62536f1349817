"""Pieces that several sections draw."""

TEMPLATE = """\
{% macro grid(frame, clear=false) %}
{% set left, right = frame.x.start, frame.x.end %}
{% set bottom, top = frame.y.start, frame.y.end %}
{% for tick in frame.y_ticks %}
<line class="grid" x1="{{ left }}" x2="{{ right }}" y1="{{ tick.at }}" y2="{{ tick.at }}"/>
<text class="tick end" x="{{ left - 8 }}" y="{{ tick.at + 4 }}">{{ tick.label }}</text>
{% endfor %}
{% for tick in frame.x_ticks %}
<line class="axis" x1="{{ tick.at }}" x2="{{ tick.at }}" y1="{{ bottom }}" y2="{{ bottom + 5 }}"/>
<text class="tick middle" x="{{ tick.at }}" y="{{ bottom + 20 }}">{{ tick.label }}</text>
{% endfor %}
<line class="axis" x1="{{ left }}" x2="{{ right }}" y1="{{ bottom }}" y2="{{ bottom }}"/>
<text class="title middle" x="{{ (left + right) / 2 }}" y="{{ bottom + 40 }}">
{{ frame.x_title }}</text>
<text class="title middle"
 transform="translate(13 {{ (top + bottom) / 2 }}) rotate(-90)">{{ frame.y_title }}</text>
{% endmacro %}

{% macro mark(row, y, overall) %}
{% if row.from is not none %}
<line class="range" x1="{{ row.from }}" x2="{{ row.to }}" y1="{{ y }}" y2="{{ y }}"/>
{% if row.cut_low %}
<path class="arrow" d="M{{ row.from - 6 }} {{ y }} l6 -4 v8 Z"/>
{% endif %}
{% if row.cut_high %}
<path class="arrow" d="M{{ row.to + 6 }} {{ y }} l-6 -4 v8 Z"/>
{% endif %}
{% endif %}
{% if row.at is not none and overall %}
<path class="point" d="M{{ row.at }} {{ y - 7 }} l7 7 l-7 7 l-7 -7 Z"/>
{% elif row.at is not none %}
<circle class="point" cx="{{ row.at }}" cy="{{ y }}" r="{{ row.radius }}"/>
{% endif %}
{% endmacro %}

{% macro figure_cells(figure) %}
{% if figure.value is none %}
<td colspan="2" class="absent">{{ figure | why_not }}</td>
{% else %}
<td class="num strong">{{ figure.value | number }}</td>
<td class="num">{% if figure.low is none or figure.high is none %}
<span class="absent">no interval{% if figure.reason %}: {{ figure.reason }}{% endif %}</span>
{% else %}{{ figure | interval }}{% endif %}</td>
{% endif %}
{% endmacro %}

{% macro figure_text(figure) %}
{% if figure.value is none %}<span class="absent">{{ figure | why_not }}</span>
{% else %}{{ figure.value | number }} <span class="muted">({{ figure | interval }})</span>
{% endif %}
{% endmacro %}

{% macro rounding(site) %}
{% set rules = site.disclosure %}
{% if rules.round_counts_to > 1 %}
Counts of {{ site.name }} are rounded to {{ rules.round_counts_to }} by its policy.
{% elif rules.minimum_cell > 1 %}
Counts of {{ site.name }} below {{ rules.minimum_cell }} are told as that by its policy.
{% endif %}
{% endmacro %}

{% macro panel(chart, description) %}
<svg viewBox="0 0 {{ chart.frame.width }} {{ chart.frame.height }}" role="img"
 aria-label="{{ description }}">
{{ grid(chart.frame) }}
{% if chart.reference is not none %}
<line class="chance" x1="{{ chart.frame.x.start }}" x2="{{ chart.frame.x.end }}"
 y1="{{ chart.reference }}" y2="{{ chart.reference }}"/>
{% endif %}
{% if chart.band %}
<path class="band g0" d="{{ chart.band }}"/>
{% endif %}
{% for line in chart.lines %}
<path class="line g{{ loop.index0 % 4 }}" d="{{ line.path }}"/>
{% endfor %}
{% if chart.mark %}
<circle class="chosen" cx="{{ chart.mark[0] }}" cy="{{ chart.mark[1] }}" r="5.5"/>
{% endif %}
</svg>
{% endmacro %}
"""
"""Axes, marks with intervals, cells of a figure, small line charts."""
