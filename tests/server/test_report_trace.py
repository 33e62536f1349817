import copy
import re

import pytest

from server.report.alerts import alerts
from server.report.interaction import interaction
from server.report.page import render
from server.report.trace import MOST, trace
from tests.server.sample_result import audit_figures, sample_result


def site_audit(name, interaction):
    found = audit_figures(interaction, 12)
    return {"name": name, "patients": 12, "shares": {"local": found["shares"]["local"]}}


@pytest.fixture
def traced():
    """A result of which every second round was audited: the interaction grows by 2% each time."""
    result = sample_result()
    for entry in result["rounds"][1::2]:
        share = 0.01 * entry["round"]
        sites = [site_audit(site["name"], share) for site in entry["sites"][:3]]
        entry["audit"] = {"split": "validation", "background": "input-mean", "sites": sites}
        entry["audit"] |= audit_figures(share, 40)
    return result


def alert(stage, number, kind="redundancy", site=None):
    return {
        "kind": kind, "stage": stage, "round": number, "site": site, "modality": None,
        "value": 0.2, "low": 0.15, "high": 0.25, "threshold": 0.1,
        "sentence": f"{stage} {number} {kind}.",
    }  # fmt: skip


def test_without_an_audited_round_there_is_no_trace():
    assert trace(sample_result()) is None


def test_three_measures_are_followed_for_all_sites_and_each(traced):
    view = trace(traced)
    assert [panel["title"] for panel in view["panels"]] == [
        "Together (interaction), %", "Each alone, %", "Concordance",
    ]  # fmt: skip
    names = [site["name"] for site in traced["rounds"][1]["audit"]["sites"]]
    assert [row["name"] for row in view["sites"]] == ["All sites together", *names]
    for row in view["sites"]:
        assert [len(cell["lines"]) for cell in row["cells"]] == [1, 2, 1]


def test_a_line_goes_through_the_shares_in_percent_and_ends_in_a_dot(traced):
    panel = trace(traced)["panels"][0]
    (line,) = panel["lines"]
    frame, last = panel["frame"], traced["rounds"][-2]
    assert (last["round"], line["last"]) == (20, pytest.approx(20))
    assert line["dot"] == (frame.x.at(20), frame.y.at(20))
    assert line["path"].startswith(f"M{frame.x.at(2):g} {frame.y.at(2):g} L")


def test_a_band_is_the_95_percent_interval(traced):
    panel = trace(traced)["panels"][0]
    found = traced["rounds"][1]["audit"]["shares"]["local"]
    frame = panel["frame"]
    first = f"M{frame.x.at(2):g} {frame.y.at(100 * found['high']):g} "
    assert panel["lines"][0]["band"].startswith(first)
    assert panel["lines"][0]["band"].endswith(f"{frame.y.at(100 * found['low']):g} Z")


def test_a_site_that_missed_a_round_keeps_its_other_points(traced):
    traced["rounds"][3]["audit"]["sites"] = traced["rounds"][3]["audit"]["sites"][1:]
    whole, gap = trace(traced)["sites"][2], trace(traced)["sites"][1]
    assert whole["cells"][0]["lines"][0]["path"].count("L") == 9
    assert gap["cells"][0]["lines"][0]["path"].count("L") == 8


def test_many_rounds_are_thinned_evenly_with_first_and_last(traced):
    template = traced["rounds"][1]
    traced["rounds"] = [copy.deepcopy(template) | {"round": n} for n in range(1, 101)]
    view = trace(traced)
    assert len(view["table"]) == MOST
    assert (view["table"][0]["round"], view["table"][-1]["round"]) == (1, 100)
    assert view["left_out"] == 100 - MOST


def test_a_single_audited_round_has_a_picture(traced):
    for entry in traced["rounds"][2:]:
        entry["audit"] = None
    assert trace(traced)["panels"][0]["lines"][0]["dot"]
    assert "Over the rounds" in render(traced)


def test_the_page_shows_the_rounds_as_pictures_and_as_a_table(traced):
    page = render(traced)
    assert "Site by site, rounds 2 to 20" in page
    table = page[page.index('<table class="rounds">') :]
    rows = re.findall(r'<tr><th scope="row">(\d+)</th>', table[: table.index("</table>")])
    assert rows == [str(number) for number in range(2, 21, 2)]
    assert page.count('class="spark"') == 4 * 3


def test_a_page_of_many_sites_and_rounds_stays_below_two_megabytes(traced):
    sites = [site_audit(f"site {n}", 0.1) for n in range(40)]
    template = traced["rounds"][1]
    template["audit"]["sites"] = sites
    ranking = {"concordance": 0.7, "low": 0.5, "high": 0.8, "patients": 12, "events": 4}
    template["sites"] = [{"name": site["name"]} | ranking for site in sites]
    traced["rounds"] = [template | {"round": n} for n in range(1, 40)]
    assert len(render(traced).encode()) < 2_000_000


def test_alerts_of_the_closing_stand_first_and_those_of_rounds_once():
    found = [alert("round", 2), alert("round", 4), alert("round", 4, site="lyon")]
    view = alerts([*found, alert("closing", 6)])
    assert [one["sentence"] for one in view["closing"]] == ["closing 6 redundancy."]
    assert [(one["sentence"], one["before"]) for one in view["rounds"]] == [
        ("round 4 redundancy.", "2"), ("round 4 redundancy.", ""),
    ]  # fmt: skip
    assert view["more"] == 0


def test_more_than_twenty_alerts_are_counted():
    view = alerts([alert("closing", n) for n in range(23)])
    assert (len(view["closing"]), view["more"]) == (20, 3)


def test_the_page_shows_alerts_with_the_audit_and_names_them_on_the_first_page(traced):
    traced["alerts"] = [alert("closing", 15)]
    page = render(traced)
    audit = page[page.index('<section id="audit">') :]
    assert audit.index("closing 15 redundancy.") < audit.index("Every patient's score")
    assert "<b>1 alert</b>" in page[: page.index('<section id="audit">')]


def test_a_page_without_alerts_says_that_there_are_none(traced):
    page = render(traced)
    assert "None: no figure lies with its whole 95% interval" in page
    assert "alert</b>" not in page


def of_three():
    audit = sample_result()["audit"]
    local = audit["shares"]["local"]
    local |= {"rna": 0.3, "cnv": 0.2}
    audit["matrix"] = [[0.2, -0.1, 0.0], [-0.1, 0.4, 0.05], [0.0, 0.05, None]]
    names = ["slides", "rna", "cnv", "slides+rna", "slides+cnv", "rna+cnv", "slides+rna+cnv"]
    values = {name: 0.01 * place for place, name in enumerate(names)}
    audit["dividends"] = values | {"standard_errors": dict.fromkeys(names, 0.002)}
    audit["dividend_sizes"] = {name: 2 * value for name, value in values.items()}
    return audit


def test_of_three_modalities_matrix_and_dividends_are_shown_by_order():
    shown = interaction(of_three(), ["slides", "rna", "cnv"])
    assert [row["title"] for row in shown["matrix"]] == ["histology slides", "rna", "cnv"]
    strengths = [cell["strength"] for cell in shown["matrix"][1]["cells"]]
    assert strengths == pytest.approx([0.0875, 0.35, 0.04375], abs=0.001)
    assert shown["matrix"][2]["cells"][2] == {"value": None, "strength": 0.0}
    titles = [row["title"] for row in shown["dividends"]]
    assert titles[3:] == [
        "Histology slides with rna", "Histology slides with cnv", "Rna with cnv",
        "Histology slides with rna with cnv",
    ]  # fmt: skip
    assert [row["first"] for row in shown["dividends"]].count(True) == 2
    assert shown["dividends"][6]["size"] == pytest.approx(0.12)


def test_of_two_modalities_neither_is_repeated():
    shown = interaction(of_three(), ["slides", "rna"])
    assert (shown["matrix"], shown["dividends"]) == ([], [])
