import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.report.axes import Axis
from server.report.card import card, origin
from server.report.interaction import bars, interaction
from server.report.ranking import forest, mark, not_interpretable
from server.report.survival import calibration, kaplan_meier, median, patients_at_risk
from server.report.training import concordance_panel, training
from tests.server.sample_result import empty_result, estimate, sample_result, unimodal_result

CURVE = {
    "name": "all", "patients": 4, "events": 3, "time": [0.0, 365.25, 730.5, 1461.0],
    "survival": [1.0, 0.75, 0.5, 0.25], "low": [None, 0.1, 0.1, 0.1],
    "high": [None, 0.9, 0.9, 0.9], "at_risk": [4.0, 4.0, 3.0, 2.0],
}  # fmt: skip


def cautions(result):
    return " ".join(card(result)["cautions"])


def test_a_figure_that_could_be_chance_is_called_so():
    result = sample_result()
    result["evaluation"]["pooled"]["concordance"] = estimate(0.55, 0.05)  # 0.55 - 0.098 < 0.5
    assert "do not show that the model beats chance" in cautions(result)
    assert "beats chance" not in cautions(sample_result())


def test_few_events_are_called_a_first_estimate():
    result = sample_result()
    assert "It rests on 53 events" in cautions(result)
    result["evaluation"]["pooled"]["events"] = 100
    assert "It rests on" not in cautions(result)


def test_a_gap_to_the_figure_within_sites_is_explained():
    result = sample_result()  # .781 - .702 = .079
    assert "telling sites apart" in cautions(result)
    result["evaluation"]["pooled"]["within_sites"] = estimate(0.775)
    assert "telling sites apart" not in cautions(result)


def test_no_caution_is_given_about_a_figure_that_is_not_there():
    assert cautions(empty_result()) == ""


def test_the_card_tells_where_test_patients_come_from():
    result = sample_result()
    assert origin(result).startswith("1 of the 9 sites took no part in training")
    assert "at another hospital" in origin(result | {"sites": result["sites"][:8]})
    assert "took no part" in origin(result | {"sites": result["sites"][8:]})


def test_small_sites_are_named_on_the_card():
    assert card(sample_result())["small_sites"].endswith("Cost $1 & $2 Clinic and 1 more")


def test_null_overall_figures_are_listed_as_not_measured():
    listed = card(empty_result())["not_measured"]
    assert "Uno's concordance: no event among the test patients." in listed
    assert len(listed) == 6  # four figures, calibration, audit
    assert not any("audit" in text for text in card(unimodal_result())["not_measured"])


def test_the_forest_holds_the_federation_then_each_site():
    rows = forest(sample_result()["evaluation"])["rows"]
    assert [row["kind"] for row in rows[:2]] == ["overall", "within"]
    assert len(rows) == 2 + 9


def test_a_site_with_a_note_or_few_events_is_greyed():
    assert not_interpretable({"note": "suppressed", "events": 90})
    assert not_interpretable({"note": None, "events": 4})
    assert not not_interpretable({"note": None, "events": 5})


def test_a_greyed_interval_does_not_stretch_the_axis_but_ends_in_an_arrow():
    evaluation = sample_result()["evaluation"]
    evaluation["sites"][1]["concordance"] = estimate(0.5, 0.3)
    plot = forest(evaluation)
    assert plot["axis"].low == 0.4
    assert plot["rows"][3]["cut_low"]


@given(st.floats(0, 1), st.floats(0, 0.3))
def test_a_mark_lies_inside_its_interval(value, error):
    place = mark(estimate(value, error), Axis(0.0, 1.0, 0.0, 300.0))
    assert place["from"] <= place["at"] <= place["to"]


def test_a_null_figure_has_no_mark():
    place = mark(estimate(None, reason="no event"), Axis(0.0, 1.0, 0.0, 300.0))
    assert (place["at"], place["from"], place["to"]) == (None, None, None)


@pytest.mark.parametrize(("days", "left"), [(0, 4), (365.25, 4), (400, 3), (1461, 2), (1462, 0)])
def test_patients_at_risk_are_read_at_the_first_time_not_earlier(days, left):
    assert patients_at_risk(CURVE, days) == left


def test_the_median_is_the_first_time_with_half_left():
    assert median(CURVE) == 730.5
    assert median(CURVE | {"survival": [1.0, 0.9, 0.8, 0.7]}) is None


def test_survival_without_a_bound_draws_no_band_there():
    [group] = kaplan_meier([CURVE])["groups"]
    assert group["line"].startswith("M64 14 L64 14")  # day 0, survival 1
    assert group["line"].endswith("L884 231.5")  # 304 - 0.25 x 290


def test_without_a_curve_there_is_no_picture():
    assert kaplan_meier([]) is None
    empty = {"time": [], "survival": [], "low": [], "high": [], "at_risk": []}
    assert kaplan_meier([CURVE | empty]) is None


def test_calibration_marks_only_groups_with_both_figures():
    group = {"name": "a", "patients": 9, "predicted": 0.5, "observed": 0.5, "low": 0.4, "high": 0.6}
    absent = group | {"observed": None, "low": None, "high": None}
    [chart] = calibration([{"horizon_days": 365.25, "groups": [group, absent]}])
    assert chart["title"] == "After 1 year"
    assert [(m["x"], m["y"]) for m in chart["marks"]] == [(171.0, 138.0)]  # middles of both axes
    assert len(chart["groups"]) == 2


def test_a_stacked_bar_fills_its_axis():
    pieces = list(bars([0.1, 0.4, None, 0.5], Axis(0.0, 1.0, 0.0, 200.0)))
    assert [piece["index"] for piece in pieces] == [0, 1, 3]
    assert sum(piece["width"] for piece in pieces) == pytest.approx(200.0)


def test_the_audit_lists_the_federation_then_each_site_and_six_conventions():
    audit = sample_result()["audit"]
    shown = interaction(audit, ["slides", "omics"])
    assert len(shown["rows"]) == 1 + len(audit["sites"])
    assert [row["name"] for row in shown["conventions"] if row["primary"]] == ["local"]
    assert len(shown["conventions"]) == 6


def test_an_audit_without_a_concordance_lists_no_ranking():
    audit = sample_result()["audit"]
    del audit["concordance"], audit["heterogeneity"], audit["signed"]
    shown = interaction(audit, ["slides", "omics"])
    assert (shown["ranking"], shown["heterogeneity"], shown["signed"]) == ([], None, {})


def test_the_chosen_round_is_marked():
    result = sample_result()
    view = training(result)
    assert view["chosen"]["round"] == 15
    frame = view["concordance"]["frame"]
    value = result["rounds"][14]["concordance"]["value"]
    assert view["concordance"]["mark"] == (frame.x.at(15), frame.y.at(value))


def test_rounds_without_figures_give_no_picture():
    null = {"value": None, "low": None, "high": None}
    bare = {"concordance": null, "loss": {"train": None, "validation": None}}
    result = sample_result()
    result["rounds"] = [entry | bare for entry in result["rounds"]]
    view = training(result)
    assert (view["concordance"], view["loss"]) == (None, None)


def test_a_single_round_has_a_picture():
    result = sample_result()
    assert concordance_panel(result["rounds"][:1], None)["mark"] is None
