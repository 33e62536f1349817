import json

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import (
    concordance_index_censored,
    concordance_index_ipcw,
    integrated_brier_score,
)

from fusion.errors import ConfigError
from simulations.metrics import evaluate_predictions

TIMES = np.array([365.25, 730.5, 1095.75])


@pytest.fixture
def table():
    """Predictions of 200 patients of three sites, one of them tiny."""
    rng = np.random.default_rng(0)
    risk = rng.normal(size=200)
    death, end = rng.exponential(1200 * np.exp(-risk)), rng.exponential(2500, size=200)
    frame = pd.DataFrame({"risk": np.round(risk, 1), "time": np.minimum(death, end)})
    frame["event"] = (death < end).astype(int)
    frame["site"] = np.repeat(["02", "lyon", "tiny"], [120, 76, 4])
    for day in TIMES:
        frame[f"survival_{day:g}"] = np.exp(-np.exp(risk) * day / 1200)
    return frame


@pytest.fixture
def evaluate(tmp_path):
    def one(frame, **options):
        path = tmp_path / "predictions.csv"
        path.write_text(frame) if isinstance(frame, str) else frame.to_csv(path, index=False)
        return evaluate_predictions(path, **options)

    return one


def theirs(table):
    pairs = zip(table.event == 1, table.time, strict=True)
    return np.array(list(pairs), dtype="?,f8")


def test_figures_equal_scikit_survival(table, evaluate):
    found, outcome = evaluate(table), theirs(table)
    harrell = concordance_index_censored(table.event == 1, table.time, table.risk)[0]
    uno = concordance_index_ipcw(outcome, outcome, table.risk, tau=found["uno"]["tau"])[0]
    survival = table.filter(like="survival_").to_numpy()
    brier = integrated_brier_score(outcome, outcome, survival, TIMES)
    assert found["concordance"]["value"] == pytest.approx(harrell, abs=1e-12)
    assert found["uno"]["value"] == pytest.approx(uno, abs=1e-9)
    assert found["integrated_brier"]["value"] == pytest.approx(brier, abs=1e-12)
    assert found["integrated_brier"]["until_days"] == 1095.75


def test_every_figure_has_its_interval_and_its_source(table, evaluate):
    found = evaluate(table)
    for name in ("concordance", "uno", "integrated_brier", "within_sites"):
        figure = found[name]
        assert figure["low"] < figure["value"] < figure["high"]
        assert figure["standard_error"] > 0
    assert found["uno"]["censoring_source"].startswith("all patients of the file")
    assert (found["patients"], found["events"]) == (200, table.event.sum())


def test_the_end_of_unos_concordance_can_be_chosen(table, evaluate):
    assert evaluate(table, tau=900.0)["uno"]["tau"] == 900.0


def test_each_site_has_figures_and_a_tiny_one_a_warning(table, evaluate):
    sites = {site["name"]: site for site in evaluate(table)["sites"]}
    events = table[table.site == "tiny"].event.sum()
    assert list(sites) == ["02", "lyon", "tiny"]  # the text '02' is not the number 2
    assert sites["tiny"]["note"] == f"{events} events: not interpretable"
    assert sites["lyon"]["note"] is None
    assert sites["02"]["uno"]["tau"] == sites["lyon"]["uno"]["tau"]


def test_mean_within_sites_counts_no_pair_across_them(table, evaluate):
    found = evaluate(table)
    pairs = sum(site["concordance"]["comparable_pairs"] for site in found["sites"])
    assert found["within_sites"]["comparable_pairs"] == pairs
    assert pairs < found["concordance"]["comparable_pairs"]


def test_without_optional_columns_their_figures_have_reasons(table, evaluate):
    found = evaluate(table[["risk", "time", "event"]])
    assert found["within_sites"]["reason"] == "the file has no column 'site'"
    assert found["integrated_brier"]["reason"] == "the file has no columns survival_<days>"
    assert found["sites"] == []


def test_survival_groups_and_follow_up_are_reported(table, evaluate):
    found = evaluate(table)
    low, high = found["risk_groups"]["groups"]
    assert low["median_days"] > found["kaplan_meier"]["median_days"] > high["median_days"]
    assert found["risk_groups"]["logrank"]["p_value"] < 1e-6


@pytest.mark.parametrize(
    "text",
    [
        "risk,time,event\n1,5,0\n2,6,0\n",  # no event at all
        "risk,time,event,site\n1,5,1,a\n1,6,1,b\n",  # equal risks, no pair inside a site
        "risk,time,event,survival_9000\n1,5,1,0.1\n2,6,0,0.2\n",  # nobody followed so long
        "risk,time,event\n2,5,1\n1,6,0\n0,0,0\n",  # one pair, one censored on day 0
    ],
)
def test_what_cannot_be_had_is_null_with_a_reason_in_strict_json(text, evaluate):
    found = json.loads(json.dumps(evaluate(text), allow_nan=False))
    for name in ("concordance", "uno", "integrated_brier", "within_sites"):
        assert (found[name]["value"] is None) <= bool(found[name]["reason"])
        assert (found[name]["low"] is None) == bool(found[name]["reason"])


def test_those_censored_on_day_0_and_unread_columns_are_noted(table, evaluate):
    table.loc[0, ["time", "event"]] = [0.0, 0]
    notes = evaluate(table.assign(age=60, Site="x"))["notes"]
    assert notes[0] == "Censored on day 0, counted but in no comparison: 1."
    assert notes[1] == "Columns not read: age, Site."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have a header row, got an empty file"),
        ("risk,time,event\n", "must have two patients or more, got 0"),
        ("risk,time,event\n1,2,1\n", "must have two patients or more, got 1"),
        ("risk,time,events\n1,2,1\n", r"got no 'event' in .*Did you mean 'events'\?"),
        ("Risk,time,event\n1,2,1\n", r"got no 'risk' in .*Did you mean 'Risk'\?"),
        (
            "risk,time,event\n1,2,1\n,3,1\n",
            r"risk must be a finite.*1 other rows \(line 3\)",
        ),
        ("risk,time,event\n1,2,1\ninf,3,1\n", "risk must be a finite number"),
        ("risk,time,event\n1,2,1\nx,3,1\n", "risk must be a finite number"),
        ("risk,time,event\n1,2,1\n1,-3,1\n", "time must be >= 0 days"),
        ("risk,time,event\n1,2,1\n1,3,2\n", "event must be 0 or 1"),
        ("risk,time,event\n1,2,1\n1,0,1\n", "time of an event must be > 0"),
        ("risk,time,event,site\n1,2,1,a\n1,3,1,\n", "site must name a site"),
        ("risk,time,event,survival_9\n1,2,1,.5\n1,3,1,1.5\n", "survival_9 must be from 0 to 1"),
        ("risk,time,event,survival_x\n1,2,1,1\n1,3,1,1\n", "called survival_<days>, got 'surv"),
        ("risk,time,event,survival_9,survival_1\n1,2,1,.5,.4\n1,3,1,.2,.3\n", "not exceed earlier"),
        ("risk,time,event\n1,2,1,9\n1,3,1,9\n", "must have a name for every column"),
        ("risk,time,event\n1,2,1\n1,2,3,4,5\n", "must be CSV"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(text, message, evaluate):
    with pytest.raises(ConfigError, match=message):
        evaluate(text)


def test_long_lists_of_bad_rows_are_cut_to_three(table, evaluate):
    with pytest.raises(ConfigError, match=r"got 200 other rows \(line 2, 3, 4, \.\.\.\)"):
        evaluate(table.assign(event=7))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="must be a file, got"):
        evaluate_predictions(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="must be a file, got"):
        evaluate_predictions(tmp_path)


def test_spaces_a_byte_order_mark_and_true_false_are_read(evaluate):
    found = evaluate("\ufeffrisk, time, event\n2, 5, True\n1, 6, False\n0, 7, False\n")
    assert (found["events"], found["concordance"]["comparable_pairs"]) == (1, 2.0)
