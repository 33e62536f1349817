import numpy as np
import pytest

from fusion.config import from_flat
from fusion.errors import ConfigError, FederationError
from fusion.readers.scaling import ScalingSums
from server.inbox import Answer, Failure, Inbox
from server.opening import Agreement, agree, describe, training_counts

BINS = 4
RUN = {"evaluation.time-bins": BINS, "evaluation.time-step": 100.0, "objective.intervals": 2}


def site(name="lyon", *, genes=("A", "B"), role="train", events=3, patients=(8, 2, 4), **facts):
    """What a site's description holds; its training events lie in the second time bin."""
    histogram = np.zeros((BINS + 1, 2, 2), np.int64)
    histogram[1, 0, 0], histogram[2, 1, 0] = patients[0] - events, events
    told = {
        "site": name, "role": role, "encoder": "e", "feature-width": 3, "data-hash": "0" * 64,
        "tables": ["rna"], "features:rna": list(genes), **facts,
    }  # fmt: skip
    sums = {
        "patients": np.array(patients), "events": np.array([events, 1, 1]),
        "missing": np.array([0, 1, 0]), "outcome-histogram": histogram,
    }  # fmt: skip
    return Answer(name, told, {}, sums, {})


class Post(Inbox):
    """Sites that answer the opening from memory."""

    def __init__(self, *sites, failures=(), silent=()):
        self.sites, self.failures, self.silent, self.asked = sites, list(failures), silent, []
        self.released = {site.site: {"counts"} for site in sites}
        self.noised = {}

    def meet(self, hoped=0, run=""):  # noqa: ARG002 -- as an inbox is called
        return list(self.sites), self.failures

    def ask(self, kind, content, sites, check):
        self.asked.append((kind, list(sites)))
        words = content["request"]
        answers = [self.scaling(one, words) for one in sites if one not in self.silent]
        for answer in answers:
            check(answer)
        return answers, [Failure(one, "no answer") for one in sites if one in self.silent]

    def scaling(self, name, words):
        number = len(words["features"])
        omics = ScalingSums(np.full(number, 8.0), np.zeros(number), np.full(number, 8.0))
        slides = ScalingSums(np.full(3, 8.0), np.full(3, 16.0), np.full(3, 40.0))
        sums = {
            "scaling.omics": omics.to_array(), "scaling.slides": slides.to_array(),
            "scaling.clipped": np.array([1, 16]),
        }  # fmt: skip
        return Answer(name, {}, {}, sums, {})


def agreed(*sites, changes=None):
    post = Post(*sites)
    members, _ = describe(post)
    return agree(post, members, from_flat({**RUN, **(changes or {})})), post


def test_sites_and_failures_are_both_known():
    failure = Failure("node 9", "no answer")
    members, failures = describe(Post(site(), site("porto"), failures=[failure]))
    assert [member.name for member in members] == ["lyon", "porto"]
    assert failures == [failure]
    assert members[0].patients == (8, 2, 4)


def test_genes_in_common_are_used_in_order_of_name():
    agreement, _ = agreed(site(genes=("C", "A", "B")), site("porto", genes=("B", "C", "D")))
    assert agreement.plan.scaling.names == ("rna:B", "rna:C")
    assert agreement.dropped == 2


def test_the_order_of_genes_at_a_site_is_irrelevant():
    one, other = (agreed(site(genes=genes))[0] for genes in (("A", "B"), ("B", "A")))
    assert one.features_hash == other.features_hash
    assert one.plan.to_text() == other.plan.to_text()


def test_sums_of_the_sites_become_means_and_deviations():
    # slides: 16 patients, sum 32, squares 80: mean 2, variance 80 / 16 - 4 = 1
    agreement, _ = agreed(site(), site("porto"))
    assert agreement.plan.scaling.slide_mean.tolist() == [2, 2, 2]
    np.testing.assert_allclose(agreement.plan.scaling.slide_sd, 1, rtol=0.05)
    assert agreement.clipped == 2 / 32


def test_only_sites_that_train_are_summed():
    _, post = agreed(site(), site("porto", role="evaluate-only", patients=(0, 0, 14), events=0))
    assert post.asked == [("query.scaling", ["lyon"])]


def test_intervals_come_from_all_sites_events():
    # all events lie in [100, 200): one inner edge at 200
    agreement, _ = agreed(site(), site("porto"))
    assert agreement.plan.edges == (0, 200, 400)


def test_agreed_cuts_are_used():
    agreement, _ = agreed(site(), changes={"objective.cuts": "50,60"})
    assert agreement.plan.edges == (0, 50, 60, 400)


def test_clinical_columns_are_appended():
    agreement, _ = agreed(site(), changes={"data.clinical": "age"})
    assert agreement.plan.scaling.names == ("rna:A", "rna:B", "clinical:age")


def test_modalities_are_those_the_model_reads():
    assert agreed(site())[0].plan.modalities == ("slides", "omics")
    assert agreed(site(), changes={"model.name": "omics_only"})[0].plan.modalities == ("omics",)
    bare = {"encoder": "", "feature-width": 0}
    assert agreed(site(**bare))[0].plan.modalities == ("omics",)


def test_a_site_without_slides_or_omics_does_not_hinder_the_others():
    bare = site("porto", encoder="", tables=[], **{"feature-width": 0})
    assert agreed(site(), bare)[0].plan.widths == {"slides": 3, "omics": 2}


def test_an_agreement_survives_the_checkpoint():
    agreement, _ = agreed(site())
    back = Agreement.from_dict(agreement.to_dict())
    assert back.to_dict() == agreement.to_dict()


def test_training_patients_of_all_sites_are_counted():
    members, _ = describe(Post(site(), site("porto", events=5)))
    counts = training_counts(members, from_flat(RUN))
    assert (counts.patients, counts.events) == (16, 8)


@pytest.mark.parametrize("fact", [{"encoder": "f"}, {"feature-width": 4}])
def test_different_encoders_are_refused(fact):
    with pytest.raises(FederationError, match=r"one slide feature encoder, got .*lyon.*porto"):
        agreed(site(), site("porto", **fact))


def test_genes_that_do_not_overlap_are_refused():
    with pytest.raises(FederationError, match=r"must share genes, got none .* 'rna' of 2 sites"):
        agreed(site(), site("porto", genes=("X",)))


def test_a_table_that_nobody_has_names_the_nearest():
    with pytest.raises(ConfigError, match=r"every site has, got 'rnaa'\. Did you mean 'rna'"):
        agreed(site(), changes={"data.omics": "rnaa"})


def test_a_table_that_one_site_lacks_is_refused_when_asked_for():
    both = {"tables": ["cnv", "rna"], "features:cnv": ["A"]}
    with pytest.raises(ConfigError, match="got 'cnv'"):
        agreed(site(**both), site("porto"), changes={"data.omics": "cnv"})


def test_a_table_that_one_site_lacks_is_left_out_of_all():
    both = {"tables": ["cnv", "rna"], "features:cnv": ["A"]}
    assert agreed(site(**both), site("porto"))[0].plan.tables == ("rna",)


def test_no_event_anywhere_is_refused():
    with pytest.raises(FederationError, match=r"one event to train on, got 0 among 16 training"):
        describe(Post(site(events=0), site("porto", events=0)))


def test_a_site_without_events_is_a_warning(caplog):
    describe(Post(site(), site("porto", events=0)))
    assert "porto has no event among" in caplog.text


def test_nobody_who_trains_is_refused_with_the_reasons():
    failure = Failure("node 9", "SiteError: see the log at the site.")
    with pytest.raises(FederationError, match=r"got none of 2 \(node 9: SiteError.*doctor"):
        describe(Post(site(role="evaluate-only"), failures=[failure]))


def test_scaling_needs_one_answer():
    post = Post(site(), silent=["lyon"])
    with pytest.raises(FederationError, match=r"scaling sums, got none \(lyon: no answer\)"):
        agree(post, describe(post)[0], from_flat(RUN))
