import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusion.errors import FederationError
from fusion.interaction.quantities import coalition_names
from fusion.interaction.ranking import ranked
from fusion.interaction.shares import local_shares
from simulations.cli import main
from simulations.share_lines import share_lines
from simulations.shares import audit_values

SHARES = ("local", "ratio", "global", "published", "moebius")


def frame_of(values, names):
    columns = ["v()", *(f"v({name})" for name in coalition_names(names))]
    return pd.DataFrame(np.atleast_2d(values), columns=columns)


@pytest.fixture
def table():
    """Sixty patients of three sites: eta = x1 + x2 + x1 x2, hidden = 0."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60))
    frame = frame_of(np.column_stack([0 * a, a, b, a + b + a * b]), ("slides", "clinical"))
    frame["time"] = np.ceil(rng.exponential(1000 * np.exp(-frame["v(slides+clinical)"])))
    frame["event"] = (rng.random(60) < 0.7).astype(int)
    frame["site"] = np.repeat(["02", "lyon", "lone"], [30, 29, 1])
    return frame


@pytest.fixture
def audit(tmp_path):
    def one(frame):
        path = tmp_path / "values.csv"
        path.write_text(frame) if isinstance(frame, str) else frame.to_csv(path, index=False)
        return audit_values(path)

    return one


def test_every_definition_stands_on_top_with_its_modalities_and_errors(table, audit):
    found = audit(table)
    for name in SHARES:
        entry = found[name]
        parts = [entry[part] for part in ("interaction", "slides", "clinical")]
        assert sum(parts) == pytest.approx(1)
        assert all(0 <= part <= 1 for part in parts)
        assert set(entry["standard_errors"]) == {"interaction", "slides", "clinical"}
        assert min(entry["standard_errors"].values()) > 0
    assert found["variance"]["interaction"] > 0
    assert 0 < found["variance"]["r2_additive"] < 1
    assert (found["patients"], found["primary"]) == (60, "local")


# v over bitmasks, then the interaction's share by local, published and moebius, by hand
GAMES = {
    "x1 x2": ([0, 0, 0, 1], 1, 1 / 3, 1),
    "x1 + x2 + x1 x2": ([0, 1, 1, 3], 1 / 3, 1 / 7, 1 / 3),
    "x1 x2 x3": ([0] * 7 + [1], 3 / 4, 3 / 7, 1),
    "x1 ... x5": ([0] * 31 + [1], 5 / 8, 5 / 9, 1),
    "exactly one of three": ([0, 1, 1, 0, 1, 0, 0, 0], 1 / 2, 1, 3 / 4),
}


@pytest.mark.parametrize("game", GAMES)
def test_one_patient_of_an_exact_game_has_its_shares_without_errors(audit, game):
    values, *expected = GAMES[game]
    names = tuple("abcde"[: len(values).bit_length() - 1])
    found = audit(frame_of(values, names))
    got = [found[name]["interaction"] for name in ("local", "published", "moebius")]
    assert got == pytest.approx(expected, abs=1e-12)
    assert found["local"]["standard_error"] is None
    assert found["local"]["reason"] == "one patient gives no standard error"
    json.dumps(found, allow_nan=False)


def test_concordance_compares_within_sites_and_beside_it_all_pairs(table, audit):
    found, values = audit(table), table.filter(like="v(").to_numpy()
    time, event = table["time"].to_numpy(), (table["event"] == 1).to_numpy()

    def by_hand(rows):
        pairs, right, _ = ranked(values[rows], time=time[rows], event=event[rows])
        return np.array([pairs, *right])

    pooled = by_hand(slice(None))
    within = by_hand(slice(0, 30)) + by_hand(slice(30, 59))
    for entry, sums in ((found["concordance_pooled"], pooled), (found["concordance"], within)):
        got = [entry[name] for name in ("full", "additive", "slides", "clinical")]
        assert got == pytest.approx(sums[1:] / sums[0], abs=1e-12)
        assert entry["comparable_pairs"] == sums[0]


def test_each_site_has_figures_and_the_sites_are_compared(table, audit):
    found, values = audit(table), table.filter(like="v(").to_numpy()
    sites = {site["name"]: site for site in found["sites"]}
    assert list(sites) == ["02", "lone", "lyon"]
    expected = local_shares(values[30:59])[:, 0].mean()
    assert sites["lyon"]["local"]["interaction"] == pytest.approx(expected, abs=1e-12)
    assert (sites["lone"]["patients"], sites["lone"]["local"]["standard_error"]) == (1, None)
    assert found["heterogeneity"]["local"]["sites"] == 2
    assert found["heterogeneity"]["local"]["p_value"] > 0.01


def test_without_sites_and_outcomes_their_figures_have_reasons(table, audit):
    found = audit(table.drop(columns=["time", "event", "site"]))
    assert found["concordance"]["full"] is None
    assert found["concordance"]["reason"] == "the file has no columns time and event"
    assert found["reasons"][-1] == "concordance: the file has no columns time and event"
    assert (found["sites"], found["heterogeneity"]) == ([], None)


def test_sites_change_no_share(table, audit):
    with_sites, without = audit(table), audit(table.drop(columns="site"))
    for name in SHARES:
        assert with_sites[name]["interaction"] == pytest.approx(without[name]["interaction"])
    assert without["concordance"] == without["concordance_pooled"]


@pytest.mark.parametrize(
    "rows",
    [
        "0,0,0,0\n0,0,0,0\n",  # nothing moves
        "1,2,3,4\n1,2,3,4\n1,2,3,4\n",  # no variance
        "0,0,0,1e29\n0,0,0,-1e29\n0,0,0,0\n",  # the largest that is allowed, no additive part
        "1e9,1e9,1e9,1e9\n",
    ],
)
def test_what_cannot_be_had_is_null_with_a_reason_in_strict_json(rows, audit):
    found = json.loads(json.dumps(audit(f"v(),v(a),v(b),v(a+b)\n{rows}"), allow_nan=False))
    for name in (*SHARES, "variance"):
        assert (found[name]["value"] is None) <= bool(found[name]["reason"])


CELL = st.sampled_from([0.0, 1.0, -1.0, 3.5, 1e-300, 5e-13, 1e12, 1e29, -1e29])
ROW = st.tuples(CELL, CELL, CELL, CELL, st.integers(1, 9), st.integers(0, 1), st.sampled_from("xy"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, min_size=1, max_size=9))
def test_any_finite_values_give_strict_json_and_a_table(tmp_path, rows):
    lines = [",".join(map(str, row)) for row in rows]
    path = tmp_path / "values.csv"
    path.write_text("\n".join(["v(),v(a),v(b),v(a+b),time,event,site", *lines]))
    found = audit_values(path)
    json.dumps(found, allow_nan=False)
    assert "nan" not in share_lines(found)


def test_a_modality_called_like_a_figure_is_refused(audit):
    with pytest.raises(FederationError, match=r"no word of the audit .* got \['full'\]"):
        audit("v(),v(full),v(b),v(full+b)\n0,1,2,3\n")


def test_the_command_prints_strict_json_and_a_table(table, tmp_path, capsys):
    path = tmp_path / "values.csv"
    table.to_csv(path, index=False)
    assert main(["shares", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["shares", str(path)]) == 0
    told = capsys.readouterr().out
    assert f"local (primary)  {found['local']['interaction']:.3f} (" in told
    assert f"{found['concordance']['clinical']:.3f} ± " in told
    assert "Cochran's Q" in told
    assert "\nlyon" in told


def test_the_command_tells_what_it_lacks(table, tmp_path, capsys):
    path = tmp_path / "values.csv"
    table.drop(columns=["time", "site"]).to_csv(path, index=False)
    assert main(["shares", str(path)]) == 0
    told = capsys.readouterr().out
    assert "note: concordance: the file has no columns time and event" in told
    assert "Columns not read: event." in told
    assert main(["shares", str(tmp_path / "none.csv")]) == 2
    assert "error: Coalition values must be a file" in capsys.readouterr().err


GLIOMA = {  # concordance, published %, local %, r2_additive, its SSR form
    "cross_attention": (0.8140, 3.03, 5.32, 0.9945, 0.9823),
    "bilinear": (0.8189, 3.72, 7.39, 0.9913, 0.9902),
    "gated": (0.8074, 4.45, 7.24, 0.9865, 0.9662),
}


@pytest.mark.data
@pytest.mark.skipif("CONCORD_DATA" not in os.environ, reason="CONCORD_DATA is not set")
@pytest.mark.parametrize("model", GLIOMA)
def test_published_glioma_models_give_their_figures(tmp_path, capsys, model):
    folder = Path(os.environ["CONCORD_DATA"]) / "fixtures" / "intershap_glioma"
    outcome = pd.read_csv(folder / "full_dataset_intershap.csv").set_index("case")
    phi = pd.read_csv(folder / f"intershap_{model}.csv").join(outcome, "patient_id", rsuffix="_")
    slides, rna, half = phi["phi_wsi"], phi["phi_rna"], phi["phi_interaction"]
    values = np.column_stack([0 * slides, slides - half, rna - half, slides + rna])
    frame = frame_of(values, ("slides", "rna"))
    frame = frame.assign(time=phi["survival_months"], event=phi["vital_status"])
    frame.to_csv(tmp_path / "values.csv", index=False)
    assert main(["shares", str(tmp_path / "values.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    shares = [100 * found[name]["interaction"] for name in ("published", "local")]
    fit = [found["variance"][name] for name in ("r2_additive", "r2_additive_ssr")]
    got = [round(found["concordance"]["full"], 4), *np.round(shares, 2), *np.round(fit, 4)]
    assert got == pytest.approx(GLIOMA[model], abs=1e-9)
