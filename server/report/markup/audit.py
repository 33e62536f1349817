"""How the modalities are used."""

TEMPLATE = """\
{% import "macros" as draw %}
{% import "trace" as over %}
<section id="audit">
{% if interaction is none %}
<h2>How the kinds of data are used, together and alone</h2>
<p class="absent">{{ card.together.reason | sentence }}</p>
{% else %}
<h2>How the kinds of data are used, together and alone</h2>
{{ over.alerts(alerts) }}
<section{% if interaction.rows | length < 20 %} class="keep"{% endif %}>
{% set audit = result.audit %}
{% set of_classes = result.model.objective == "classification" %}
<p>Every patient's score{{ " for the class that the model predicts" if of_classes }} is taken
apart into what each kind of data adds by itself and what only
their combination adds (the <em>interaction</em>). A hidden kind of data is replaced by
“{{ audit.background }}”. Measured on {{ audit.patients | count(audit.split ~ " patient") }}
with the model of round {{ audit.round }}
{%- if audit.excluded %}; {{ audit.excluded | count("patient") }} without all kinds of data left
out{% endif %}
{%- if audit.uninformative %}; {{ audit.uninformative | count("patient") }} whose score nothing
moves, counted as share 0{% endif %}. These are properties of the model, not of biology.</p>
{% if audit.get("noised") %}
<p>Some hospitals' sums carry noise, to hide each patient: intervals hold it, and figures that no
noise of a useful size can hide are left out.</p>
{% endif %}
{% include "masking" %}
<ul class="legend">
<li><span class="chip s0"></span>together (interaction), with its 95% interval</li>
{% for name in interaction.legend %}
<li><span class="chip s{{ loop.index }}"></span>{{ name }} alone</li>
{% endfor %}
</ul>
<div class="wide">
<table class="forest">
<thead><tr><th scope="col">Site</th><th scope="col" class="num">Patients</th>
<td class="picture"></td><th scope="col" class="num">Together</th>
<th scope="col" class="num">95% interval</th>
{% for name in interaction.legend %}
<th scope="col" class="num">{{ name | capitalize }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in interaction.rows %}
<tr class="{{ row.kind }}"><th scope="row">{{ row.name }}
{%- if row.noised %} <span class="tag">with noise</span>{% endif %}</th>
<td class="num">{{ row.patients | number(0) }}</td>
{% if row.figure.value is none %}
<td colspan="{{ 3 + interaction.legend | length }}" class="absent">
{{ row.figure | why_not }}</td></tr>
{% else %}
<td class="picture"><svg width="{{ interaction.width }}" height="22"
 viewBox="0 0 {{ interaction.width }} 22" aria-hidden="true">
{% for bar in row.bars %}
<rect class="s{{ bar.index }}" x="{{ bar.x }}" y="4" width="{{ bar.width }}" height="14"/>
{% endfor %}
{% if row.from is not none %}
<path class="whisker" d="M{{ row.from }} 11 H{{ row.to }} M{{ row.to }} 7 v8"/>
{% endif %}
</svg></td>
<td class="num strong">{{ row.shares[0] | percent }}</td>
<td class="num">{{ row.figure | percent_interval }}</td>
{% for share in row.shares[1:] %}
<td class="num">{{ share | percent }}</td>
{% endfor %}
</tr>
{% endif %}
{% endfor %}
</tbody>
</table>
</div>
</section>
{% set signed = interaction.signed %}
{% if signed.get("synergy") is number and signed.get("redundancy") is number %}
<p>By sign, the share of {{ interaction.rows[0].figure.value | percent }} divides into
{{ signed.synergy | percent }} where the combination predicts
{{ "the class more strongly" if of_classes else "a higher risk" }} than the sum of its
parts (synergy) and {{ signed.redundancy | percent }} where it predicts
{{ "it less strongly" if of_classes else "a lower one" }} (redundancy).</p>
{% endif %}
{% set between = interaction.heterogeneity %}
{% if between and between.get("i_squared") is none %}
<p>Whether the sites differ was {{ between | why_not }}.</p>
{% elif between %}
<p>Do the sites differ? {{ between.i_squared | percent(0) }} of the spread between their figures is
more than chance (I²; Cochran's Q = {{ between.cochran_q | number(1) }} on
{{ between.degrees | count("degree") }} of freedom, {{ between.p_value | p_value }}).
{%- if between.get("sites_left_out") %} {{ between.sites_left_out | count("site") }} with fewer than
{{ between.min_patients }} audited patients left out.{% endif %}</p>
{% endif %}

{% if interaction.pairs %}
<section class="keep">
<h3>Which kinds of data work together</h3>
<p>The share of a patient's score that each two kinds add only in combination, averaged over
patients.</p>
<table class="narrow">
<thead><tr><th scope="col">Pair</th><th scope="col" class="num">Share</th>
<th scope="col" class="num">Standard error</th></tr></thead>
<tbody>
{% for row in interaction.pairs %}
<tr><th scope="row">{{ row.title }}</th>
<td class="num strong">{{ row.share | percent }}</td>
<td class="num">{{ row.standard_error | percent }}</td></tr>
{% endfor %}
</tbody>
</table>
</section>
{% endif %}
{% if interaction.matrix %}
<section class="keep">
<h3>What moves the score, and which way</h3>
<p>Mean contributions in {{ "logit of the predicted class" if of_classes else "log-hazard" }},
signs kept: above 0 they raise {{ "its probability" if of_classes else "the predicted risk" }}.
On the diagonal what each kind gives alone, beside it half of what each two give together (the
matrix of
InterSHAP; it sums to the mean score above its background).</p>
<div class="wide">
<table class="narrow matrix">
<thead><tr><td></td>
{% for name in interaction.legend %}
<th scope="col" class="num">{{ name | capitalize }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in interaction.matrix %}
<tr><th scope="row">{{ row.title | capitalize }}</th>
{% for cell in row.cells %}
<td class="num{{ " strong" if loop.index0 == row.place }}"
 style="background: rgba({{ "179,79,0" if (cell.value or 0) > 0 else "31,90,148" }},
{{- cell.strength }})">{{ cell.value | number(4) }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
<p>The same by order (Harsanyi dividends): what a set of kinds adds that none of its parts does.
The size is the mean without signs.</p>
<table class="narrow">
<thead><tr><th scope="col">Kinds of data</th><th scope="col" class="num">Mean</th>
<th scope="col" class="num">Standard error</th>
<th scope="col" class="num">Mean size</th></tr></thead>
<tbody>
{% for row in interaction.dividends %}
<tr{% if row.first %} class="first"{% endif %}><th scope="row">{{ row.title }}</th>
<td class="num strong">{{ row.value | number(4) }}</td>
<td class="num">{{ row.standard_error | number(4) }}</td>
<td class="num">{{ row.size | number(4) }}</td></tr>
{% endfor %}
</tbody>
</table>
</section>
{% endif %}
{% if interaction.ranking and not of_classes %}
<h3>What the combination buys in ranking</h3>
<p>Concordance of the same patients, compared within their sites, when parts of the score are
taken away.</p>
<table class="narrow keep">
<thead><tr><th scope="col">Score</th><th scope="col" class="num">Concordance</th>
<th scope="col" class="num">Standard error</th></tr></thead>
<tbody>
{% for row in interaction.ranking %}
<tr><th scope="row">{{ row.title }}</th>
{% if row.value is none %}
<td colspan="2" class="absent">{{ row | why_not }}</td>
{% else %}
<td class="num strong">{{ row.value | number }}</td>
<td class="num">{{ row.standard_error | number }}</td>
{% endif %}</tr>
{% endfor %}
</tbody>
</table>
{% endif %}
{% if interaction.r2 is not none %}
<p>A score without the interaction explains {{ interaction.r2 | percent(2) }} of the variance of
the full score (squared correlation).</p>
{% endif %}
{% if trace is not none %}
{{ over.over_rounds(trace, draw) }}
{% endif %}

{% include "scales" %}

<section class="keep">
{% set resampled = interaction.bootstrap and interaction.bootstrap.replicates %}
<h3>The conventions in circulation</h3>
<p>Published interaction shares follow different conventions, which can differ several times over
on one model. Compare a figure only with one of the same name; “local” is the one used above.</p>
<div class="wide">
<table>
<thead><tr><th scope="col">Name</th><th scope="col">Meaning</th>
<th scope="col" class="num">Share</th><th scope="col" class="num">95% interval</th>
{% if resampled %}
<th scope="col" class="num">by bootstrap</th>
{% endif %}</tr></thead>
<tbody>
{% for row in interaction.conventions %}
<tr{% if row.primary %} class="overall"{% endif %}><th scope="row">{{ row.name }}</th>
<td>{{ row.meaning }}{% if row.warning %}
<span class="note">{{ row.warning | sentence }}</span>{% endif %}</td>
{% if row.figure.value is none %}
<td colspan="{{ 3 if resampled else 2 }}" class="absent">
{{- row.figure | why_not }}</td>
{% else %}
<td class="num strong">{{ row.figure.value | percent }}</td>
<td class="num">{{ row.figure | percent_interval }}</td>
{% if resampled %}
<td class="num">{{ (row.resampled or {"low": none, "high": none}) | percent_interval }}</td>
{% endif %}
{% endif %}</tr>
{% endfor %}
</tbody>
</table>
</div>
{% if interaction.bootstrap and interaction.bootstrap.reason %}
<p class="absent">Bootstrap {{ interaction.bootstrap | why_not }}.</p>
{% elif resampled %}
<p class="small">By bootstrap: the middle 95% of {{ interaction.bootstrap.replicates }} replicates,
each with other random weights on the patients.</p>
{% endif %}
</section>
{% endif %}
</section>
"""
"""Shares per site and overall, what the interaction buys, and the conventions."""
