import json
from pathlib import Path

import pytest

from privacy.ledger import Ledger
from simulations.federation import run_inline


def ledger_of(config, site):
    return Ledger(Path(config.out) / "state" / site / "ledger.sqlite")


def test_a_private_run_spends_what_the_policies_planned(tiny, private, governed, watching):
    config, watch = tiny(private, sites=governed), watching()
    run_inline(config, client=watch)
    result = json.loads((Path(config.out) / "result.json").read_text(encoding="utf-8"))
    for site in result["privacy"]["sites"]:
        assert site["run_epsilon"] == pytest.approx(4.0, rel=2e-3)
