"""The page and the pictures of a sweep; `macros` are the report's."""

STYLE_ADDED = """\
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr));
  gap: 22px 28px; }
.pictures figure { margin: 0; }
.line { stroke-width: 2; fill: none; } .dot { stroke: none; }
.dot.g0 { fill: var(--g0); } .dot.g1 { fill: var(--g1); }
.dot.g2 { fill: var(--g2); } .dot.g3 { fill: var(--g3); }
"""
"""What the report's style lacks."""

LINES = """\
{% macro lines(picture) %}
{% for line in picture.lines %}
<path class="line g{{ loop.index0 % 4 }}" d="{{ line.path }}"/>
{% set kind = loop.index0 % 4 %}
{% for mark in line.marks %}
{% if mark.range %}
<line class="line g{{ kind }}" x1="{{ mark.x }}" x2="{{ mark.x }}" y1="{{ mark.range[0] }}"
 y2="{{ mark.range[1] }}"/>
{% endif %}
<circle class="dot g{{ kind }}" cx="{{ mark.x }}" cy="{{ mark.y }}" r="4"/>
{% endfor %}
{% endfor %}
{% endmacro %}
"""

PICTURE = (
    """\
{% import "macros" as draw %}
"""
    + LINES
    + """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ picture.frame.width }} {{ \
picture.frame.height + 24 }}" font-family="sans-serif" font-size="12">
<style>
.grid { stroke: #d6dce2; } .axis { stroke: #566370; } .line { stroke-width: 2; fill: none; }
.middle { text-anchor: middle; } .end { text-anchor: end; } .title { font-size: 13px; }
.line.g0 { stroke: #1f5a94; } .line.g1 { stroke: #b34f00; }
.line.g2 { stroke: #2c7a4b; } .line.g3 { stroke: #7a3e8f; }
.dot.g0 { fill: #1f5a94; } .dot.g1 { fill: #b34f00; }
.dot.g2 { fill: #2c7a4b; } .dot.g3 { fill: #7a3e8f; }
</style>
<rect width="100%" height="100%" fill="#fff"/>
{{ draw.grid(picture.frame) }}
{{ lines(picture) }}
{% for model in models %}
<circle class="dot g{{ loop.index0 % 4 }}" cx="{{ 70 + 110 * loop.index0 }}"
 cy="{{ picture.frame.height + 10 }}" r="4"/>
<text x="{{ 80 + 110 * loop.index0 }}" y="{{ picture.frame.height + 14 }}">{{ model }}</text>
{% endfor %}
</svg>
"""
)
"""One picture in a file of its own."""

TEMPLATE = (
    """\
{% extends "frame" %}
{% import "macros" as draw %}
"""
    + LINES
    + """\
{% block title %}What privacy costs: {{ runs | count("run") }}{% endblock %}
{% block main %}
<p class="kicker">Sweep over epsilon</p>
<h1>What privacy costs</h1>
<p class="lead">{{ runs | count("run") }} of {{ models | length | count("model") }} with
{{ seeds | count("seed") }}. The same sites, steps and settings under each epsilon; "none" is
training without noise.</p>
<section id="figures">
<h2>Figures against epsilon</h2>
<ul class="legend">
{% for model in models %}
<li><svg width="14" height="12" aria-hidden="true">
<circle class="dot g{{ loop.index0 % 4 }}" cx="6" cy="7" r="4"/></svg> {{ model }}</li>
{% endfor %}
</ul>
<div class="pictures">
{% for name, picture in pictures.items() %}
<figure><svg viewBox="0 0 {{ picture.frame.width }} {{ picture.frame.height }}" role="img"
 aria-label="{{ picture.title }} against epsilon, a line a model.">
{{ draw.grid(picture.frame) }}
{{ lines(picture) }}
</svg></figure>
{% endfor %}
</div>
<p class="small">Marks: means over seeds. Bars: 95% corrected resampled t intervals (Nadeau and
Bengio), since splits of the same patients overlap.</p>
</section>
<section id="table">
<h2>Means over seeds</h2>
<div class="wide">
<table>
<thead><tr>{% for cell in header %}<th scope="col">{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
<p class="small">loss: concordance of the same model without noise minus this one, paired by seed.
Calibration error: distance of predicted and observed survival, mean over horizons and thirds of
risk. All figures are of test patients and of each run's last round.</p>
</section>
<section class="unmeasured">
<h2>What the epsilon does not cover</h2>
<ul>
<li>The figures of this page. They are exact sums over test patients, which a simulation may look
at without spending; hospitals would have to release them under noise.</li>
<li>Exact counts, means and scales of the inputs, and mean embeddings of training patients.</li>
<li>Choices made before: settings, features, models.</li>
</ul>
</section>
{% endblock %}
"""
)
"""The page."""
