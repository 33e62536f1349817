"""The sections that are other ones for a model of classes: first page, sites, figures."""

CARD = """\
{% import "macros" as draw %}
{% set pooled = result.evaluation.pooled %}
{% set figure = classes.figure %}
<header class="card" id="card">
<p class="kicker">Concord model report · {{ result.timings.created | moment }}</p>
<h1>Model of {{ result.evaluation.label }} from {{ classes.modalities }}</h1>
<p class="lead">{{ result.model.title }} is a statistical model that says how likely each of
{{ result.evaluation.classes | listing }} is for a patient.
{{ classes.totals.trained_sites | count("site") }} trained it
{{- " together" if classes.totals.trained_sites > 1 }}; patient records stayed where they are.</p>

<section class="headline" aria-labelledby="headline">
<h2 id="headline">How well it tells the classes apart</h2>
{% if figure.value is none %}
<p class="big absent">{{ figure | why_not | sentence }}</p>
{% else %}
<div class="pair">
<p class="big">{{ (100 * figure.value) | number(1) }}<span class="unit"> in 100</span></p>
<p>Of a test patient of a class and one of another class, the model finds that class more likely
for the right one in about <b>{{ (100 * figure.value) | number(0) }} of 100</b> cases
{%- if figure.low is not none and figure.high is not none %}
 (95% interval {{ (100 * figure.low) | number(1) }} to {{ (100 * figure.high) | number(1) }})
{%- endif %}: the AUC, averaged over the classes. Guessing gives 50, perfection 100.</p>
</div>
<svg class="scale" viewBox="0 0 640 46" role="img" aria-label="AUC
 {{ figure.value | number }}, 95% interval {{ figure | interval }}, chance 0.5.">
<line class="axis" x1="{{ classes.scale.start }}" x2="{{ classes.scale.end }}" y1="26" y2="26"/>
{% for tick in classes.scale.ticks(8) %}
<line class="axis" x1="{{ tick.at }}" x2="{{ tick.at }}" y1="26" y2="30"/>
<text class="tick middle" x="{{ tick.at }}" y="43">{{ (100 * tick.value) | number(0) }}
{%- if (tick.value - 0.5) | abs < 0.001 %} = chance{% endif %}</text>
{% endfor %}
{{ draw.mark(classes.mark, 14, true) }}
</svg>
{% endif %}
<p class="small">{{ "There were" if figure.value is none else "Measured once, on" }}
{{ pooled.patients | count("test patient") }} at
{{ result.evaluation.sites | length | count("site") }}
{%- if figure.value is not none %}, none of them used for training or for choosing the model
{%- endif %}. {{ classes.origin }}</p>
<ul class="cautions">
{% for text in classes.cautions %}
<li>{{ text }}</li>
{% endfor %}
</ul>
</section>

<dl class="facts">
<div><dt>Patients with the label</dt><dd>{{ classes.totals.patients | number(0) }}</dd></div>
<div><dt>without it, left out</dt><dd>{{ classes.totals.unlabelled | number(0) }}</dd></div>
<div><dt>Sites</dt><dd>{{ classes.totals.sites | number(0) }}</dd></div>
<div><dt>Trained on</dt><dd>{{ classes.totals.trained_patients | number(0) }}</dd></div>
<div><dt>Chosen round</dt><dd>{{ result.model.chosen_round }}
<span>{% if result.model.chosen_on == "validation" %}by validation patients
{%- else %}the last: no validation{% endif %}</span></dd></div>
</dl>

<div class="columns">
<section>
<h2>How it uses the kinds of data</h2>
{% if card.together.figure is defined %}
<p><b>{{ card.together.figure.value | percent }}</b> of a patient's score for the predicted class
comes from reading {{ classes.modalities }} <em>together</em> (95% interval
{{ card.together.figure | percent_interval }}); on their own, {{ card.together.parts }}. Averages
over {{ card.together.patients | count("test patient") }} who have all of them.</p>
{% else %}
<p>{{ card.together.reason | sentence }}</p>
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
<p>This page is made from counts and sums, over all sites and by site, not from patient records.
{% if classes.small_sites %}
Figures of small sites come close to single persons; before you pass it on, think of
{{ classes.small_sites }}.
{% endif %}</p>
</section>
</div>

<section class="unmeasured">
<h2>What was not measured</h2>
<ul>
{% for text in classes.not_measured %}
<li>{{ text }}</li>
{% endfor %}
</ul>
</section>
<nav aria-label="Sections"><a href="#sites">Sites</a> <a href="#ranking">AUC</a>
<a href="#classes">Classes</a> <a href="#audit">Use of the data</a>
<a href="#rounds">Rounds</a> <a href="#technical">Technical record</a></nav>
</header>
"""
"""What it is, how well it tells classes apart, what it uses, and what is not known."""

SITES = """\
<section id="sites">
<h2>Sites and patients</h2>
<p>Each site divided its own patients with the label at random into those to train on, those to
choose the model by (validation) and those to test it on, with the classes spread evenly, unless
its table fixed the division. Patients of each class, in all splits.</p>
<div class="wide">
<table>
<thead><tr><th scope="col">Site</th>
{% for split in ["All", "Training", "Validation", "Test"] %}
<th scope="col" class="num">{{ split }}</th>
{% endfor %}
{% for name in result.evaluation.classes %}
<th scope="col" class="num">{{ name }}</th>
{% endfor %}
<th scope="col" class="num">Without the label</th>
<th scope="col" class="num">Rounds answered</th></tr></thead>
<tbody>
{% for site in result.sites %}
<tr><th scope="row">{{ site.name }}
{%- if site.role == "evaluate-only" %} <span class="tag">only evaluates</span>{% endif %}</th>
{% for split in ["total", "train", "validation", "test"] %}
<td class="num">{{ site.patients[split] | number(0) }}</td>
{% endfor %}
{% for name in result.evaluation.classes %}
<td class="num">{{ site.classes.get(name, {"total": 0}).total | number(0) }}</td>
{% endfor %}
<td class="num">{{ site.unlabelled | number(0) }}</td>
<td class="num">{{ site.rounds_answered }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
<p class="small">A patient who lacks one kind of data takes part all the same: the model puts a
learned placeholder there. One without the label takes no part.</p>
</section>
"""
"""Patients by split and class, site by site."""

FIGURES = """\
{% import "macros" as draw %}
<section id="ranking">
<h2>Telling the classes apart, overall and site by site</h2>
<p>The AUC of each class against all others on {{ result.evaluation.split }} patients, averaged
over the classes: 0.5 is chance (dotted line), 1 perfect. Bars are 95% intervals, whose errors are
those of the classes averaged, never too small. Grey rows are too small to be interpreted.</p>
<div class="wide">
<table class="forest">
<thead><tr><th scope="col">Site</th><th scope="col" class="num">Patients</th>
<td class="picture"></td><th scope="col" class="num">AUC</th>
<th scope="col" class="num">95% interval</th></tr></thead>
<tbody>
{% for row in forest.rows %}
<tr class="{{ row.kind }}"><th scope="row">{{ row.name }}
{%- if row.name in held_out %} <span class="tag">not trained on</span>{% endif %}
{%- if row.note %}<span class="note">{{ row.note }}</span>{% endif %}</th>
<td class="num">{{ row.patients | number(0) }}</td>
<td class="picture"><svg width="{{ forest.width }}" height="26"
 viewBox="0 0 {{ forest.width }} 26" aria-hidden="true">
<line class="chance" x1="{{ forest.chance_at }}" x2="{{ forest.chance_at }}" y1="0" y2="26"/>
{{ draw.mark(row, 13, row.kind in ("overall", "within")) }}
</svg></td>
{{ draw.figure_cells(row.figure) }}</tr>
{% endfor %}
<tr class="ruler"><td colspan="2"></td>
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
<section{% if forest.rows | length < 20 %} class="keep"{% endif %}>
<h3>Other measures</h3>
<p>Each patient is given the class with the highest score. Balanced accuracy is the mean over
classes of the share that gets its own class; F1 weighs that against how many others get it too,
averaged over classes.</p>
<div class="wide">
<table class="even">
<thead><tr><th scope="col">Site</th><th scope="col">Balanced accuracy</th>
<th scope="col">Macro F1</th><th scope="col">Accuracy</th></tr></thead>
<tbody>
{% for row in forest.rows if row.kind != "within" %}
<tr class="{{ row.kind }}"><th scope="row">{{ row.name }}</th>
<td>{{ draw.figure_text(row.balanced_accuracy) }}</td>
<td>{{ draw.figure_text(row.macro_f1) }}</td>
<td>{{ draw.figure_text(row.accuracy) }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
</section>
</section>

<section id="classes" class="keep">
<h2>Class by class</h2>
<p>Over all test patients. Recall: of the patients of a class, the share that is given it.
Precision: of the patients given a class, the share that is of it. The AUC of the exact scores lies
within the bin error of the one shown.</p>
<div class="wide">
<table class="even">
<thead><tr><th scope="col">Class</th><th scope="col" class="num">Patients</th>
<th scope="col">AUC (95% interval)</th><th scope="col" class="num">Bin error</th>
<th scope="col">Recall</th><th scope="col">Precision</th>
<th scope="col" class="num">F1</th></tr></thead>
<tbody>
{% for one in result.evaluation.pooled.classes %}
<tr><th scope="row">{{ one.name }}</th><td class="num">{{ one.patients | number(0) }}</td>
<td>{{ draw.figure_text(one.auc) }}</td><td class="num">{{ one.auc.bin_error | number(4) }}</td>
<td>{{ draw.figure_text(one.recall) }}</td><td>{{ draw.figure_text(one.precision) }}</td>
<td class="num">{{ one.f1 | number }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
<h3>What is taken for what</h3>
<p>Rows are true classes, columns predicted ones; each cell: patients, and their share of the
row.</p>
<table class="narrow matrix">
<thead><tr><td></td>
{% for name in result.evaluation.classes %}
<th scope="col" class="num">as {{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in confusions %}
<tr><th scope="row">{{ row.name }}</th>
{% for cell in row.cells %}
<td class="num{{ " strong" if cell.right }}"
 style="background: rgba({{ "31,90,148" if cell.right else "179,79,0" }},
{{- (0.35 * cell.share) | number(3) }})">{{ cell.patients | number(0) }}
<span class="muted">{{ cell.share | percent(0) }}</span></td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</section>
"""
"""AUC overall, within sites and site by site; each class; the confusions."""
