"""The first page: the model card."""

TEMPLATE = """\
{% import "macros" as draw %}
{% set pooled = result.evaluation.pooled %}
{% set figure = card.figure %}
<header class="card" id="card">
<p class="kicker">Concord model report · {{ result.timings.created | moment }}</p>
<h1>Survival model from {{ card.modalities }}</h1>
<p class="lead">{{ result.model.title }} is a statistical model that orders patients by how early
the recorded event, such as death or progression, is to be expected.
{{ card.totals.trained_sites | count("site") }} trained it
{{- " together" if card.totals.trained_sites > 1 }}; patient records stayed where they are.</p>

<section class="headline" aria-labelledby="headline">
<h2 id="headline">How well it ranks patients</h2>
{% if figure.value is none %}
<p class="big absent">{{ figure | why_not | sentence }}</p>
{% else %}
<div class="pair">
<p class="big">{{ (100 * figure.value) | number(1) }}<span class="unit"> in 100</span></p>
<p>Of two test patients of whom it is known who had the event first, the model names that one in
about <b>{{ (100 * figure.value) | number(0) }} of 100</b> cases
{%- if figure.low is not none and figure.high is not none %}
 (95% interval {{ (100 * figure.low) | number(1) }} to {{ (100 * figure.high) | number(1) }})
{%- endif %}. Guessing gives 50, perfection 100. It does not say how long a patient will live.</p>
</div>
<svg class="scale" viewBox="0 0 640 46" role="img" aria-label="Concordance
 {{ figure.value | number }}, 95% interval {{ figure | interval }}, chance 0.5.">
<line class="axis" x1="{{ card.scale.start }}" x2="{{ card.scale.end }}" y1="26" y2="26"/>
{% for tick in card.scale.ticks(8) %}
<line class="axis" x1="{{ tick.at }}" x2="{{ tick.at }}" y1="26" y2="30"/>
<text class="tick middle" x="{{ tick.at }}" y="43">{{ (100 * tick.value) | number(0) }}
{%- if (tick.value - 0.5) | abs < 0.001 %} = chance{% endif %}</text>
{% endfor %}
{{ draw.mark(card.mark, 14, true) }}
</svg>
{% endif %}
<p class="small">{{ "There were" if figure.value is none else "Measured once, on" }}
{{ pooled.patients | count("test patient") }} with
{{ pooled.events | count("event") }} at {{ result.evaluation.sites | length | count("site") }}
{%- if result.evaluation.split == "test" and figure.value is not none %}, none of
them used for training or for choosing the model{% endif %}. {{ card.origin }}</p>
{% if card.cautions %}
<ul class="cautions">
{% for text in card.cautions %}
<li>{{ text }}</li>
{% endfor %}
</ul>
{% endif %}
</section>

<dl class="facts">
<div><dt>Patients in all</dt><dd>{{ card.totals.patients | number(0) }}</dd></div>
<div><dt>with an event</dt><dd>{{ card.totals.events | number(0) }}</dd></div>
<div><dt>Sites</dt><dd>{{ card.totals.sites | number(0) }}</dd></div>
<div><dt>Trained on</dt><dd>{{ card.totals.trained_patients | number(0) }}
<span>{{ card.totals.trained_events | count("event") }}</span></dd></div>
<div><dt>Chosen round</dt><dd>{{ result.model.chosen_round }}
<span>{% if result.model.chosen_on == "validation" %}by validation patients
{%- else %}the last: no validation{% endif %}</span></dd></div>
</dl>

<div class="columns">
<section>
<h2>How it uses the kinds of data</h2>
{% if card.together.figure is defined %}
<p><b>{{ card.together.figure.value | percent }}</b> of a patient's score comes from reading
{{ card.modalities }} <em>together</em> (95% interval
{{ card.together.figure | percent_interval }}); on their own, {{ card.together.parts }}. Averages
over {{ card.together.patients | count("test patient") }} who have all of them.</p>
{% else %}
<p>{{ card.together.reason | sentence }}</p>
{% endif %}
{% set raised = alerts.closing | length + alerts.rounds | length + alerts.more %}
{% if raised %}
<p><b>{{ raised | count("alert") }}</b> on how it does so
{{ "stands" if raised == 1 else "stand" }} with <a href="#audit">the use of the data</a>.</p>
{% endif %}
<h2>For whom, and for what</h2>
<p>For research at the sites that took part and by those who compare methods. It is not a medical
device and must not decide on the care of a patient.</p>
</section>
<section>
<h2>Privacy</h2>
<p><b>{% if result.privacy.differential_privacy %}Trained with differential privacy.
{%- else %}No mathematical privacy guarantee is given.{% endif %}</b>
{{ result.privacy.statement | sentence }}</p>
{% for advice in result.privacy.advice | default([]) %}
<p><b>Advice.</b> {{ advice | sentence }}</p>
{% endfor %}
<p>This page is made from counts and sums, over all sites and by site, not from patient records.
{% if card.small_sites %}
Figures of small sites come close to single persons; before you pass it on, think of
{{ card.small_sites }}.
{% endif %}</p>
</section>
</div>

<section class="unmeasured">
<h2>What was not measured</h2>
{% if card.not_measured %}
<ul>
{% for text in card.not_measured %}
<li>{{ text }}</li>
{% endfor %}
</ul>
{% else %}
<p>The run lists nothing. That is no proof that everything was measured.</p>
{% endif %}
</section>
<nav aria-label="Sections"><a href="#sites">Sites</a>
{% if budget is not none %}<a href="#privacy">Privacy budget</a>{% endif %}
<a href="#ranking">Ranking</a>
<a href="#survival">Survival</a> <a href="#audit">Use of the data</a>
<a href="#rounds">Rounds</a> <a href="#technical">Technical record</a></nav>
</header>
"""
"""What it is, how well it ranks, what it uses, what privacy was spent, what is not known."""
