import numpy as np
import pytest

from client.settings import Settings
from client.site import open_site
from fusion.config import from_flat
from fusion.errors import ConfigError, FederationError
from fusion.readers.components import product_sums
from fusion.readers.omics import align, omics_vector
from fusion.readers.scaling import Scaling
from fusion.training.plan import Plan
from server.components import common_components
from server.inbox import Answer, Failure, Inbox
from server.inputs import Inputs

NAMES = ("rna:A", "rna:B", "rna:C", "clinical:age")


def inputs(names, known):
    return Inputs(("omics",), "", 0, ("rna",), ("age",), names, 0, known)


class Post(Inbox):
    """Sites that answer with sums of products, kept by name of site."""

    def __init__(self, **sums):
        self.sums, self.asked = sums, []

    def ask(self, kind, content, sites, check):
        self.asked.append((kind, list(sites), dict(content["request"])))
        answers = [Answer(name, {}, {}, held, {}) for name, held in self.sums.items()]
        sound, failures = [], []
        for answer in answers:
            try:
                check(answer)
                sound.append(answer)
            except ValueError as error:
                failures.append(Failure(answer.site, str(error)))
        return sound, failures


def sums_of(values):
    return {"components:rna": product_sums(np.asarray(values, float)).to_array()}


VALUES = np.random.default_rng(0).normal(size=(9, 3))


def found(post, components="rna=2", names=NAMES, known=("rna",)):
    config, one = from_flat({"data.components": components}), np.ones(len(names))
    scaling = Scaling(names, one * 0, one, np.zeros(0), np.zeros(0), 0.0)
    return common_components(post, list(post.sums), config, inputs(names, known), scaling)


def test_without_components_no_site_is_asked():
    post = Post(lyon=sums_of(VALUES))
    assert found(post, "").projections == {}
    assert post.asked == []


def test_the_sites_are_told_what_to_multiply():
    post = Post(lyon=sums_of(VALUES))
    found(post)
    [(kind, sites, words)] = post.asked
    assert (kind, sites, words["components"]) == ("query.components", ["lyon"], ["rna"])
    assert words["tables"] == ["rna"]
    assert words["features"] == list(NAMES)


def test_a_table_that_one_site_lacks_comes_from_the_others():
    one = found(Post(lyon=sums_of(VALUES)))
    two = found(Post(lyon=sums_of(VALUES), porto={}))
    np.testing.assert_array_equal(one.projections["rna"].weights, two.projections["rna"].weights)
    assert two.failures == ()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda sums: sums[:-1], "reshape"),
        (lambda sums: sums * np.nan, "finite"),
        (lambda sums: sums * 0.1, "of 0.9 patients"),
    ],
)
def test_a_site_whose_sums_cannot_be_right_is_left_out(spoil, reason):
    wrong = {"components:rna": spoil(sums_of(VALUES)["components:rna"])}
    both = found(Post(lyon=sums_of(VALUES), porto=wrong))
    assert [failure.site for failure in both.failures] == ["porto"]
    assert reason in both.failures[0].reason
    alone = found(Post(lyon=sums_of(VALUES)))
    np.testing.assert_array_equal(both.projections["rna"].weights, alone.projections["rna"].weights)


def test_components_of_what_this_model_does_not_read_are_not_asked_for():
    post = Post(lyon=sums_of(VALUES))
    both = found(post, "slides=2,rna=2,cnv=3", known=("rna", "cnv", "slides"))
    assert list(both.projections) == ["rna"]
    assert post.asked[0][2]["components"] == ["rna"]


def test_a_table_that_is_not_in_use_names_the_nearest():
    with pytest.raises(ConfigError, match=r"got 'rnaa'\. Did you mean 'rna'"):
        found(Post(lyon={}), "rnaa=2")
    with pytest.raises(ConfigError, match=r"data.components must name .* got 'clinical'"):
        found(Post(lyon={}), "clinical=1")
    with pytest.raises(ConfigError, match=r"got 'slides'"):
        found(Post(lyon={}), "slides=1")


def test_a_table_too_wide_for_a_covariance_is_refused_with_its_size():
    # (6,001 * 6,002 / 2) numbers of 8 bytes: 144 MB
    names = tuple(f"rna:{number}" for number in range(6000))
    with pytest.raises(ConfigError, match=r"got rna with 6,000: each site would send 144 MB"):
        found(Post(lyon={}), names=names)


def test_somebody_must_have_enough_patients():
    with pytest.raises(
        FederationError, match=r"rna must come from a site with at least 3 training"
    ):
        found(Post(lyon={}))


@pytest.fixture(scope="module")
def run(tiny, lead):
    return lead(tiny({"rounds": 1, "data.components": "rna=3,slides=2"}))


def training_rows(run):
    """Standardised RNA and mean patches of all sites' training patients, by the book."""
    plan, genes, means = Plan.from_text(run.plan), [], []
    for folder in sorted((run.folder / run.config.sites).iterdir()):
        site = open_site(Settings(folder, run.config, 0))
        vector = align(omics_vector(site.cohort, tables=("rna",)), plan.scaling.names)
        rows = site.rows("train")
        genes.append(plan.scaling.standardise(vector)[[r for r in rows if vector.present[r]]])
        bags = [next(site.bags.chunks(r, 10_000)) for r in rows if site.cohort.has_slides[r]]
        means.append(np.stack([bag.astype(np.float64).mean(axis=0) for bag in bags]))
    mean = (np.concatenate(means) - plan.scaling.slide_mean) / plan.scaling.slide_sd
    return {"rna": np.concatenate(genes), "slides": mean}


@pytest.mark.parametrize(("name", "number"), [("rna", 3), ("slides", 2)])
def test_a_federation_finds_the_components_of_its_pooled_patients(run, name, number):
    values = training_rows(run)[name]
    centred = values - values.mean(axis=0)
    scores = np.linalg.svd(centred, full_matrices=False)[2][:number] @ centred.T
    scores = scores.T / scores.T.std(axis=0)
    projection = Plan.from_text(run.plan).projections[name]
    largest = np.abs(projection.weights).argmax(axis=0)
    assert (projection.weights[largest, range(number)] > 0).all()
    ours = projection.apply(values)
    signs = np.sign((ours * scores).sum(axis=0))
    np.testing.assert_allclose(ours, scores * signs, rtol=0, atol=1e-8)


def test_the_model_reads_the_components_alone(run):
    plan = Plan.from_text(run.plan)
    assert plan.widths == {"slides": 2, "omics": 3}
    told = run.result["inputs"]["components"]["rna"]
    assert told == {"number": 3, "variance_share": plan.projections["rna"].share}
    assert run.result["rounds"][1]["failed"] == []


def test_sites_that_do_not_train_are_not_asked(tiny, lead):
    held = lead(tiny({"rounds": 1, "data.components": "rna=3", "split.hold-out": "porto"}))
    asked = [e.site for e in held.exchanges if e.kind == "query.components"]
    assert asked == ["bergen", "lyon"]
