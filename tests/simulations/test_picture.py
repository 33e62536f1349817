import json
import re

import pandas as pd
import pytest

from client.settings import site_folders
from fusion.errors import ConfigError
from simulations.cli import main
from simulations.picture import describe_partition, draw_partition, read_sites
from tests.server.test_report import Page


@pytest.fixture
def write_site(tmp_path):
    """A site folder without slides and genes."""

    def write(folder, *, name, time, event):
        site = tmp_path / "sites" / folder
        site.mkdir(parents=True)
        (site / "site.toml").write_text(f'name = "{name}"\n[clinical]\nfile = "clinical.csv"\n')
        patients = [f"{folder}{place}" for place in range(len(time))]
        table = pd.DataFrame({"patient": patients, "time_days": time, "event": event})
        table.to_csv(site / "clinical.csv", index=False)
        return tmp_path / "sites"

    return write


def test_facts_of_a_partition_are_those_of_its_sites(write_site):
    write_site("a", name="alpha", time=[10, 20, 30, 40, 50], event=[1, 1, 1, 0, 0])
    sites = write_site("b", name="beta", time=[5, 15], event=[0, 0])
    told = describe_partition(read_sites(sites))
    # events at 10, 20, 30: the 10% quantile lies .2 of the way from 10 to 20
    assert told["sites"][0] == {
        "name": "alpha", "patients": 5, "events": 3, "censored": pytest.approx(0.4),
        "event_days": {"p10": 12.0, "p25": 15.0, "median": 20.0, "p75": 25.0, "p90": 28.0},
        "with_slides": 0, "with_omics": 0,
    }  # fmt: skip
    assert told["sites"][1]["event_days"] is None
    assert (told["patients"], told["events"]) == (7, 3)
    # at day 10 one of 1 + 5 is in beta, at 20 and 30 none: expected 1/6, variance 1/6 * 5/6, and
    # chi-square (1/6)^2 / (5/36) = 1/5
    assert told["logrank"]["statistic"] == pytest.approx(0.2)


def test_modalities_are_counted(hospitals):
    lyon = next(
        s for s in describe_partition(read_sites(hospitals))["sites"] if s["name"] == "lyon"
    )
    assert (lyon["patients"], lyon["with_slides"], lyon["with_omics"]) == (24, 22, 22)


def test_the_page_is_whole_and_loads_nothing(hospitals, tmp_path):
    draw_partition(read_sites(hospitals), tmp_path / "partition.html")
    html = (tmp_path / "partition.html").read_text()
    page = Page(html)
    assert (page.wrong, page.open) == ([], [])
    assert len(page.ids) == len(set(page.ids))
    assert "3 sites, 72 patients" in page.words
    assert not re.search(r"<script|src=|https?:|@import|url\(", html)


def test_a_site_without_an_event_says_so_and_a_name_is_text(write_site, tmp_path):
    sites = write_site("a", name="<b>&", time=[3, 4], event=[0, 0])
    draw_partition(read_sites(sites), tmp_path / "p.html")
    page = Page((tmp_path / "p.html").read_text())
    assert "no event" in page.words
    assert "not measured: fewer than two groups" in page.words
    assert "<b>&" in page.words
    assert page.wrong == []


def test_a_site_of_one_day_is_drawn_too(write_site, tmp_path):
    sites = write_site("a", name="short", time=[0, 0], event=[0, 0])
    draw_partition(read_sites(sites), tmp_path / "p.html")
    assert "nan" not in (tmp_path / "p.html").read_text()


def test_each_curve_ends_where_its_site_does(write_site, tmp_path):
    # the axis spans 10 years over 30 to 218 px: the curve of 5 years ends half way, at 124 px;
    # survival 1/2 lies at (8 + 108) / 2 = 58 px
    sites = write_site("a", name="half", time=[1826.25, 1826.25], event=[1, 0])
    write_site("b", name="whole", time=[3652.5, 3652.5], event=[0, 0])
    draw_partition(read_sites(sites), tmp_path / "p.html")
    html = (tmp_path / "p.html").read_text()
    assert 'class="line g0" d="M30 8 L124 8 L124 58"' in html


def test_the_page_lies_beside_the_sites_and_does_not_disturb_them(own_hospitals, capsys):
    before = site_folders(own_hospitals)
    assert main(["show-partition", str(own_hospitals)]) == 0
    assert capsys.readouterr().out.rstrip().endswith(f"Picture: {own_hospitals / 'partition.html'}")
    assert main(["show-partition", str(own_hospitals), "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["out"] == str(own_hospitals / "partition.html")
    assert site_folders(own_hospitals) == before


def test_a_page_is_never_written_over_another_kind_of_file(hospitals, tmp_path):
    with pytest.raises(ConfigError, match=r"--out must end in .html, got .*clinical.csv"):
        draw_partition(read_sites(hospitals), tmp_path / "clinical.csv")
