"""Who took part."""

TEMPLATE = """\
{% import "macros" as draw %}
<section id="sites">
<h2>Sites and patients</h2>
<p>Each site divided its own patients at random into those to train on, those to choose the model
by (validation) and those to test it on, with events spread evenly, unless its table fixed the
division. Each cell: <b>patients</b> <span class="muted">/ events</span>.</p>
{% set splits = ["total", "train", "validation", "test"] %}
<div class="wide">
<table>
<thead><tr><th scope="col">Site</th>
{% for split in ["All", "Training", "Validation", "Test"] %}
<th scope="col" class="num">{{ split }}</th>
{% endfor %}
{% for title in lacks.values() %}
<th scope="col" class="num">{{ title }}</th>
{% endfor %}
<th scope="col" class="num">Rounds answered</th></tr></thead>
<tbody>
{% for site in result.sites %}
<tr><th scope="row">{{ site.name }}
{%- if site.role == "evaluate-only" %} <span class="tag">only evaluates</span>{% endif %}</th>
{% for split in splits %}
<td class="num">{% if site.patients is none %}-{% else %}
<b>{{ site.patients[split] | number(0) }}</b>
<span class="muted">/ {{ site.events[split] | number(0) }}</span>{% endif %}</td>
{% endfor %}
{% for lack in lacks %}
<td class="num">{{ site.missing.get(lack) | number(0) }}</td>
{% endfor %}
<td class="num">{{ site.rounds_answered }}</td></tr>
{% endfor %}
</tbody>
<tfoot>
<tr><th scope="row">All sites</th>
{% for split in splits %}
<td class="num"><b>{{ totals.patients.get(split, 0) | number(0) }}</b>
<span class="muted">/ {{ totals.events.get(split, 0) | number(0) }}</span>
</td>
{% endfor %}
{% for lack in lacks %}
<td class="num">{{ totals.missing.get(lack, 0) | number(0) }}
</td>
{% endfor %}
<td></td></tr>
</tfoot>
</table>
</div>
{% set ruled = result.sites | selectattr("disclosure", "defined") | selectattr("disclosure") %}
<p class="small">{% for site in ruled %}{{ draw.rounding(site) }}{% endfor %}</p>
{% if result.totals is defined %}
<p class="small">With secure aggregation no site tells its own counts: the coordinator learns their
sums only.</p>
{% endif %}
<p class="small">A patient who lacks one kind of data takes part all the same: the model puts a
learned placeholder there.</p>
</section>
"""
"""Patients, events and missing modalities, site by site."""
