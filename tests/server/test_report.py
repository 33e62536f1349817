import copy
import json
from html.parser import HTMLParser

import pytest

from server.report import render
from server.report.markup import TEMPLATES
from server.schema import ResultError
from tests.server.sample_result import (
    NAMES,
    empty_result,
    estimate,
    round_entry,
    sample_result,
    unimodal_result,
)

EVERY = [sample_result, unimodal_result, empty_result]
VOID = {"meta", "link", "br", "line", "path", "rect", "circle"}


class Page(HTMLParser):
    """Text, ids and unbalanced tags of a page."""

    def __init__(self, html):
        super().__init__()
        self.text, self.ids, self.open, self.wrong, self.tags = [], [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def page():
    return Page(render(sample_result()))


@pytest.mark.parametrize("make", EVERY)
def test_tags_are_balanced_and_ids_unique(make):
    page = Page(render(make()))
    assert page.wrong == []
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("make", EVERY)
def test_the_page_loads_nothing_and_runs_nothing(make):
    html = render(make())
    for trace in ("http:", "https:", "//", "src=", "@import", "url(", "<script", "<link", "onload"):
        assert trace not in html


@pytest.mark.parametrize("make", EVERY)
def test_every_picture_has_words_or_stands_beside_its_figures(make):
    pictures = [attrs for tag, attrs in Page(render(make())).tags if tag == "svg"]
    assert pictures
    assert all(svg.get("aria-label") or svg.get("aria-hidden") == "true" for svg in pictures)


def test_the_same_result_gives_the_same_page():
    assert render(sample_result()) == render(json.loads(json.dumps(sample_result())))


def test_rendering_leaves_the_result_as_it_was():
    result = sample_result()
    before = copy.deepcopy(result)
    render(result)
    assert result == before


def test_names_are_text_whatever_they_hold(page):
    for name, _, _ in NAMES:
        assert name in page.words
    assert "<b>Hospital</b>" not in render(sample_result())
    assert "evaluate 49" not in page.words


@pytest.mark.parametrize("field", ["title", "paper", "file", "objective"])
def test_markup_in_the_model_is_text(field):
    result = sample_result()
    result["model"][field] = '<script>alert("x")</script>'
    assert "<script" not in render(result)


def test_sixty_sites_and_two_hundred_rounds_stay_below_two_megabytes():
    result = sample_result()
    result["rounds"] = [round_entry(number) for number in range(1, 201)]
    for part in (result, result["evaluation"], result["audit"]):
        part["sites"] = (part["sites"] * 7)[:60]
    assert len(render(result).encode()) < 2_000_000


def test_the_first_page_says_how_well_the_model_ranks(page):
    assert "about 78 of 100 cases (95% interval 73.4 to 82.8)" in page.words
    assert "132 test patients with 53 events at 9 sites" in page.words


def test_the_first_page_says_what_was_not_measured(page):
    for text in sample_result()["not_measured"]:
        assert text in page.words


def test_the_first_page_says_that_privacy_is_not_promised(page):
    assert "No mathematical privacy guarantee is given." in page.words
    assert sample_result()["privacy"]["statement"] in page.words


def test_the_page_does_not_claim_that_counts_hide_a_patient(page):
    assert "such a count can stand for a single patient" in page.words
    assert "not from patient records" in page.words


def test_differential_privacy_is_said_only_when_it_was_there():
    result = sample_result()
    assert "Trained with differential privacy." not in Page(render(result)).words
    result["privacy"] |= {"differential_privacy": True, "sites": []}
    assert "Trained with differential privacy." in Page(render(result)).words


def test_every_setting_version_and_hash_stands_on_the_page(page):
    result = sample_result()
    shown = [*result["config"], *result["versions"], *result["versions"].values()]
    shown += [result["model"]["sha256"], *(site["data_hash"] for site in result["sites"])]
    assert [text for text in shown if text not in page.words] == []


def test_a_null_figure_is_shown_as_not_measured_with_its_reason(page):
    assert "not measured: no comparable pair: no test patient of this site had" in page.words
    words = Page(render(empty_result())).words
    assert "Not measured: no event among the test patients." in words
    assert "None" not in words
    assert "nan" not in words.split()


def test_a_model_of_one_modality_has_no_audit_and_says_why():
    words = Page(render(unimodal_result())).words
    assert "Does not apply: the model reads one kind of data, histology slides." in words
    assert "conventions in circulation" not in words


def test_failed_answers_are_named_with_their_round(page):
    assert "7 Szpital św. Łukasza timed out after 3600 s" in page.words


def test_a_site_held_out_of_training_is_marked(page):
    assert "evaluate {{ 7*7 }} not trained on" in page.words


def test_a_figure_without_an_interval_says_why():
    result = sample_result()
    reason = "all comparisons agree"
    bare = estimate(1.0, 0.0) | {"low": None, "high": None, "reason": reason}
    result["evaluation"]["sites"][0]["concordance"] = bare
    assert "no interval: all comparisons agree" in Page(render(result)).words


def test_modalities_of_other_names_are_shown():
    result = json.loads(json.dumps(sample_result()).replace('"omics":', '"radiology":'))
    result["model"]["modalities"] = ["slides", "radiology"]
    for site in result["sites"]:
        site["missing"] = {"slides": 1, "radiology": 2}
    words = Page(render(result)).words
    assert "histology slides and radiology" in words
    assert "Without radiology" in words


def test_a_result_of_another_shape_is_refused():
    with pytest.raises(ResultError, match="schema_version"):
        render(sample_result() | {"schema_version": 2})


def test_templates_are_python_so_that_every_bundle_carries_them():
    assert all(isinstance(text, str) and text for text in TEMPLATES.values())


def test_the_page_prints_on_a4_with_the_card_on_a_page_of_its_own():
    html = render(sample_result())
    assert "size: A4" in html
    assert ".card { break-after: page; }" in html


def test_a_site_without_an_audit_and_donors_of_each_site_are_told():
    result, (one, other, third, *_) = sample_result(), [name for name, *_ in NAMES]
    result["audit"] |= {
        "background": "marginal", "note": "Sites compare only as far as patients are alike.",
        "donors": {one: 100, other: 14}, "donors_wanted": 100,
        "not_audited": [{"name": third, "reason": "too few donors"}],
    }  # fmt: skip
    words = Page(render(result)).words
    assert "compare only as far as patients are alike." in words
    assert f"{one} 100, {other} 14 (all it has of 100 wanted)." in words
    assert f"{third} was not audited: too few donors." in words
    assert "not audited" not in Page(render(sample_result())).words


def test_the_bootstrap_stands_beside_the_intervals_or_says_why_not():
    result = sample_result()
    local = result["audit"]["shares"]["local"]
    local["bootstrap"] = {
        "replicates": 200, "reason": None,
        "interaction": {"standard_error": 0.01, "low": 0.0201, "high": 0.0607},
    }  # fmt: skip
    words = Page(render(result)).words
    assert "by bootstrap" in words
    assert "2.0 to 6.1%" in words
    assert "the middle 95% of 200 replicates" in words
    local["bootstrap"] = {"replicates": 0, "reason": "it audits fewer patients than replicates"}
    words = Page(render(result)).words
    assert "Bootstrap not measured: it audits fewer patients than replicates." in words
    assert "by bootstrap" not in words
    assert "ootstrap" not in Page(render(sample_result())).words


def test_figures_on_scales_that_read_time_come_with_their_warning():
    result = sample_result()
    shares = copy.deepcopy(result["audit"]["shares"])
    shares["local"] |= {"value": 0.31, "low": 0.25, "high": 0.38}
    scale = {"scale": "cumulative-hazard", "horizon_days": 1826.25, "patients": 121}
    result["audit"]["scales"] = [scale | {"warning": "This scale interacts.", "shares": shares}]
    words = Page(render(result)).words
    assert "This scale interacts." in words
    assert "cumulative hazard 5.0 31.0% 25.0 to 38.0%" in words
    assert "scales that read time" not in Page(render(sample_result())).words


def test_groups_of_genes_and_their_sizes_stand_in_the_technical_record():
    page = render(sample_result())
    assert "Group of genes tumour</th><td>73 features" in page
    assert "Group of genes tme</th><td>108 features" in page
    result = sample_result()
    result["inputs"]["groups"] = {}
    assert "Group of genes" not in render(result)
