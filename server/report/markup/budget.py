"""What a private run cost each site's patients."""

TEMPLATE = """\
{% if budget is not none %}
<section id="privacy">
<h2>Privacy budget, site by site</h2>
<p>Epsilon bounds how much one patient, with all slides, omics and the outcome, can change the
probability of what a site sent in training: by a factor of at most e to that power, but for a
probability of delta. Each site's own policy sets limits and noise; its ledger counts. Spent is
rounded up and left down; {{ dash }} = the site sent no account.</p>
<div class="wide">
<table class="even">
<thead><tr><th scope="col">Site</th>
<th scope="col" class="num">This run: spent<br>of promised</th>
<th scope="col" class="num">All runs: spent<br>of the limit</th>
<th scope="col" class="num">Left</th>
<th scope="col" class="num">Delta</th>
<th scope="col" class="num">Noise</th>
<th scope="col" class="num">Clip</th>
<th scope="col" class="num">Sampling</th>
<th scope="col" class="num">Steps</th>
<th scope="col" class="num">Refusals</th></tr></thead>
<tbody>
{% for row in budget %}
<tr><th scope="row">{{ row.name }}</th>
<td class="num">{{ row.run }}</td>
<td class="num">{{ row.ever }}</td>
<td class="num strong">{{ row.remains }}</td>
<td class="num">{{ row.delta }}</td>
<td class="num">{{ row.noise }}</td>
<td class="num">{{ row.clip }}</td>
<td class="num">{{ row.sampling }}</td>
<td class="num">{{ row.steps }}</td>
<td class="num">{{ row.rounds | length or 0 }}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
<p class="small">Noise: standard deviation on each step's sum, in units of the clip. Sampling: with
what probability a patient takes part in a step. Refusals: rounds that the site's ledger refused,
as its answers said; they cost nothing.</p>
{% for row in budget if row.left %}
<p class="absent">{{ row.name }} took no part from round {{ row.left.round }} on:
{{ row.left.reason | sentence }}</p>
{% endfor %}
</section>
{% endif %}
"""
"""A table of budgets, and who left and why."""
