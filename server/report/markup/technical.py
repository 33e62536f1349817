"""Rounds and the technical record."""

TEMPLATE = """\
{% import "macros" as draw %}
<section id="rounds">
<div class="keep">
<h2>Training, round by round</h2>
{% if training is none %}
<p class="absent">Not measured: the result holds no rounds.</p>
</div>
{% else %}
<p>In each round the sites score the model they receive on their validation patients, then train
it further; round {{ result.rounds[0].round }} scores the model as it began.
{% if training.chosen and result.model.chosen_on == "validation" %}
The model of <b>round {{ training.chosen.round }}</b> (ringed) was chosen on validation patients,
before any test figure was computed.
{% endif %}</p>
<div class="panels two">
{% if training.concordance is none %}
<p class="absent">Validation {{ "concordance" if classes is none else "AUC" }}: not measured.</p>
{% else %}
<figure><figcaption>{{ "Concordance" if classes is none else "AUC, mean of the classes" }},
validation patients</figcaption>
{{ draw.panel(training.concordance, "Validation figure over the rounds") }}</figure>
{% endif %}
{% if training.loss is not none %}
<figure><figcaption>Loss
{%- if training.loss.lines | length > 1 %}:
{% for line in training.loss.lines %}
<span class="key-text g{{ loop.index0 }}">{{ line.name }}</span>
{% endfor %}
{%- endif %}</figcaption>
{{ draw.panel(training.loss, "Loss over the rounds") }}</figure>
{% endif %}
</div>
</div>
{% if training.failures %}
<h3>Answers that did not come or were refused</h3>
<table class="narrow">
<thead><tr><th scope="col" class="num">Round</th><th scope="col">Site</th>
<th scope="col">Reason</th></tr></thead>
<tbody>
{% for failure in training.failures[:30] %}
<tr><td class="num">{{ failure.round }}</td><td>{{ failure.site }}</td>
<td>{{ failure.reason }}</td></tr>
{% endfor %}
</tbody>
</table>
{% if training.failures | length > 30 %}
<p class="small">{{ training.failures | length - 30 }} more stand in result.json.</p>
{% endif %}
{% else %}
<p>Every site answered every round it was asked in.</p>
{% endif %}
{% if training.events %}
<h3>Who left and who came back</h3>
<ul>
{% for sentence in training.events[:30] %}<li>{{ sentence }}.</li>
{% endfor %}
</ul>
{% if training.events | length > 30 %}
<p class="small">{{ training.events | length - 30 }} more stand in result.json.</p>
{% endif %}
{% endif %}
{% if training.refused %}
<p>Too few valid answers to change the model in
{{ training.refused | length | count("round") }}: {{ training.refused | join(", ") }}.</p>
{% endif %}
{% endif %}
</section>

<section id="technical">
<h2>Technical record</h2>
{% set model = result.model %}
{% set inputs = result.inputs %}
<div class="columns">
<section>
<h3>Model</h3>
<table class="record">
<tr><th scope="row">Model</th><td>{{ model.title }} ({{ model.name }})</td></tr>
<tr><th scope="row">Published as</th><td>{{ model.paper }}</td></tr>
<tr><th scope="row">Parameters</th><td>{{ model.parameters | number(0) }}
{%- if model.get("local_parameters") -%}
, {{ model.local_parameters | number(0) }} of them each site's own
{%- endif %}</td></tr>
<tr><th scope="row">Multiply-adds a patient</th>
<td>{{ model.macs_per_patient | number(0) }}</td></tr>
<tr><th scope="row">Objective</th><td>{{ model.objective }}; it
{{ "couples" if model.couples_patients else "does not couple" }} patients</td></tr>
<tr><th scope="row">Rounds</th><td>{{ model.rounds }}, chosen: {{ model.chosen_round }}</td></tr>
</table>
</section>
<section>
<h3>Inputs</h3>
<table class="record">
<tr><th scope="row">Slide features</th><td>{% if inputs.encoder %}{{ inputs.encoder }}, width
{{ inputs.feature_width }}{% else %}none{% endif %}</td></tr>
<tr><th scope="row">Omics tables</th><td>{{ inputs.tables | listing }}</td></tr>
<tr><th scope="row">Clinical columns</th><td>{{ inputs.clinical | listing }}</td></tr>
<tr><th scope="row">Omics features</th><td>{{ inputs.features_used | number(0) }} used,
{{ inputs.features_dropped | number(0) }} left out because not every site has them</td></tr>
{% for name, one in inputs.components.items() %}
<tr><th scope="row">Components of {{ name }}</th><td>{{ one.number }}, which hold
{{ one.variance_share | percent(0) }} of its variance</td></tr>
{% endfor %}
{% for name, number in inputs.get("groups", {}).items() %}
<tr><th scope="row">Group of genes {{ name }}</th><td>{{ number | number(0) }} features</td></tr>
{% endfor %}
<tr><th scope="row">Cut to ±</th><td>{% if inputs.clip %}{{ inputs.clip | setting }}
{%- if inputs.clipped_share is not none %}
 ({{ inputs.clipped_share | percent(2) }} of values){% endif %}
{%- else %}not cut{% endif %}</td></tr>
<tr><th scope="row">Scaling</th><td>{{ inputs.scaling }}</td></tr>
{% if inputs.cuts %}
<tr><th scope="row">Time intervals, days</th><td>
{%- for cut in inputs.cuts %}{{ cut | setting }}{{ ", " if not loop.last }}{% endfor %}</td></tr>
{% endif %}
</table>
</section>
</div>
<h3>Settings</h3>
<dl class="settings">
{% for key, value in result.config.items() %}
<div><dt>{{ key }}</dt><dd>{{ value | setting }}</dd></div>
{% endfor %}
</dl>
<div class="columns">
<section>
<h3>Versions</h3>
<table class="record">
{% for name, version in result.versions.items() %}
<tr><th scope="row">{{ name }}</th><td>{{ version }}</td></tr>
{% endfor %}
</table>
</section>
<section>
<h3>Time taken</h3>
<table class="record">
<tr><th scope="row">Whole run</th><td>{{ result.timings.total_seconds | clock }}</td></tr>
{% if result.timings.rounds_seconds %}
<tr><th scope="row">A round, mean</th><td>{{ (result.timings.rounds_seconds | sum
 / result.timings.rounds_seconds | length) | number(1) }} s</td></tr>
{% endif %}
<tr><th scope="row">Ended</th><td>{{ result.timings.created | moment }}</td></tr>
</table>
</section>
</div>
<h3>Fingerprints (SHA-256)</h3>
<table class="record hashes">
<tr><th scope="row">{{ model.file }}</th><td><code>{{ model.sha256 }}</code></td></tr>
<tr><th scope="row">settings</th><td><code>{{ result.config_hash }}</code></td></tr>
<tr><th scope="row">names of the omics features</th>
<td><code>{{ inputs.features_hash or "none" }}</code></td></tr>
{% set source = "result.json" %}
{% include "fingerprints" %}
</section>
"""
"""Rounds, model, inputs, settings, versions, times and hashes."""
