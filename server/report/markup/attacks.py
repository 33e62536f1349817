"""Attacks on the model."""

TEMPLATE = """\
{% if attacks is not none %}
<section id="attacks">
<h2>Attacks on this model</h2>
<p>The model was attacked on the machine that simulated it, with all patients at hand and outside
of any site's policy. What the accountant promises is a bound from above, at each site's delta; what
attacks find is a bound from below, with 95% confidence: that of the canaries at the same delta,
that of one run at a far smaller one, where more epsilon is promised.
{% if not attacks.private %}The run made no promise, so its epsilon is none.{% endif %}</p>
{% if attacks.stale %}
<p class="absent">These attacks were made on another model file than the one described here.</p>
{% endif %}
<div class="wide">
<table>
<thead><tr><th scope="col">Site</th><th scope="col" class="num">Epsilon promised</th>
<th scope="col" class="num">Canaries: estimate</th><th scope="col" class="num">at least</th>
<th scope="col" class="num">One run: at least</th>
<th scope="col" class="num">Membership AUC</th><th scope="col" class="num">95% interval</th>
<th scope="col" class="num">Found at 5% false alarms</th>
<th scope="col" class="num">Members / others</th></tr></thead>
<tbody>
{% for row in attacks.rows %}
<tr{% if loop.last %} class="overall"{% endif %}><th scope="row">{{ row.name }}</th>
<td class="num">{% if loop.last %}–{% elif row.epsilon is none %}none{% else %}
{{- row.epsilon | number(2) }}{% endif %}</td>
{% if row.canaries %}
<td class="num">{{ row.canaries.epsilon | number(2) }}</td>
<td class="num strong">{{ row.canaries.lower | number(2) }}</td>
{% else %}
<td class="num">–</td><td class="num">–</td>
{% endif %}
<td class="num">{% if row.one_run %}{{ row.one_run.lower | number(2) }}
{%- else %}–{% endif %}</td>
{% if row.membership %}
<td class="num strong">{{ row.membership.auc.value | number }}</td>
<td class="num">{{ row.membership.auc | interval }}</td>
<td class="num">{{ row.membership.found[-1].value | percent }}</td>
<td class="num">{{ row.membership.members }} / {{ row.membership.others }}</td>
{% else %}
<td colspan="4" class="absent">not measured</td>
{% endif %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
{% if "lira" in attack.attacks %}
<p>Membership: how often a patient who was trained on looks more like it than one who was not; 0.5
is chance, and each interval is over patients, for this one model. It is guessed from the final
model, with {{ attack.shadows }} shadow models trained on random halves (seed {{ attack.seed }}).
</p>
{% endif %}
{% for text in attacks.sentences %}
<p>{{ text }}</p>
{% endfor %}
{% if attack.not_done %}
<h3>Attacks that were not made</h3>
<ul>
{% for text in attack.not_done %}
<li>{{ text | sentence }}</li>
{% endfor %}
</ul>
{% endif %}
<h3>Not covered by any of them</h3>
<ul>
{% for text in attack.not_covered %}
<li>{{ text }}</li>
{% endfor %}
</ul>
</section>
{% endif %}
"""
"""What was promised and what was found, by site."""
