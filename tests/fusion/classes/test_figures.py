import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from fusion.classes.counts import count_classes, log_odds, no_patients
from fusion.classes.figures import auc, class_figures, mean_auc, within_sites
from fusion.survival.bins import RiskGrid

NAMES = ("a", "b", "c")
FINE = RiskGrid(0.0, 2.0, 4096)


def drawn(number=120, seed=1):
    rng = np.random.default_rng(seed)
    label = rng.choice(3, number, p=[0.2, 0.3, 0.5])
    return rng.normal(size=(number, 3)) + 0.8 * np.eye(3)[label], label


def test_auc_by_hand():
    # others 0.1, 0.3; of the class 0.2, 0.4: of four pairs three are right, all but (0.2, 0.3)
    found = auc(np.array([[1, 0], [0, 1], [1, 0], [0, 1]]))
    assert found.concordance.estimate.value == 0.75
    # shares below: 1/2 and 1, variance 1/8; above: 1 and 1/2, 1/8 -> 1/8/2 + 1/8/2 = 1/8
    assert found.concordance.estimate.standard_error == pytest.approx(np.sqrt(1 / 8))
    assert found.bin_error == 0


def test_patients_of_one_bin_count_half_and_state_their_error():
    found = auc(np.array([[2, 2], [0, 0]]))
    assert (found.concordance.estimate.value, found.bin_error) == (0.5, 0.5)


def test_fine_bins_give_the_auc_of_the_scores():
    logits, label = drawn()
    found = class_figures(count_classes(logits, label, FINE), NAMES)
    for number, one in enumerate(found["classes"]):
        exact = roc_auc_score(label == number, log_odds(logits)[:, number])
        assert one["auc"]["value"] == pytest.approx(exact, abs=one["auc"]["bin_error"] + 1e-12)
        assert one["auc"]["bin_error"] < 1e-3
    means = [one["auc"]["value"] for one in found["classes"]]
    assert found["auc"]["value"] == pytest.approx(np.mean(means), rel=1e-12)


@pytest.mark.parametrize("bins", [2, 5, 16, 64])
@pytest.mark.parametrize("seed", range(5))
def test_the_exact_auc_lies_within_the_bin_error(bins, seed):
    logits, label = drawn(seed=seed)
    counts = count_classes(logits, label, RiskGrid(0.0, 1.5, bins))
    for number, table in enumerate(counts.scores):
        exact, found = roc_auc_score(label == number, log_odds(logits)[:, number]), auc(table)
        assert abs(found.concordance.estimate.value - exact) <= found.bin_error + 1e-12


def test_the_standard_error_of_the_auc_is_delongs():
    logits, label = drawn()
    scores, own = log_odds(logits)[:, 0], label == 0
    right = (scores[own][:, None] > scores[~own][None, :]).astype(float)
    expected = right.mean(1).var(ddof=1) / own.sum() + right.mean(0).var(ddof=1) / (~own).sum()
    found = auc(count_classes(logits, label, RiskGrid(0.0, 2.0, 2**15)).scores[0])
    assert found.concordance.estimate.standard_error == pytest.approx(np.sqrt(expected), rel=1e-3)


def test_balanced_accuracy_f1_and_accuracy_are_the_usual_ones():
    logits, label = drawn()
    found, said = class_figures(count_classes(logits, label, FINE), NAMES), logits.argmax(1)
    assert found["balanced_accuracy"]["value"] == pytest.approx(
        balanced_accuracy_score(label, said)
    )
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(label, said, average="macro"))
    assert found["accuracy"]["value"] == pytest.approx((label == said).mean())


@pytest.mark.parametrize("figure", ["balanced_accuracy", "macro_f1", "auc"])
def test_standard_errors_are_the_spread_over_drawn_cohorts(figure):
    values, errors = [], []
    for seed in range(300):
        logits, label = drawn(200, seed)
        found = class_figures(count_classes(logits, label, RiskGrid(0.0, 1.5, 64)), NAMES)[figure]
        values.append(found["value"])
        errors.append(found["standard_error"])
    spread = np.std(values)
    # the error of a mean AUC is an upper bound; the others are first-order exact
    low, high = (1.0, 2.0) if figure == "auc" else (0.88, 1.12)
    assert low * spread < np.mean(errors) < high * spread


def test_two_classes_have_one_auc_and_its_error():
    rng = np.random.default_rng(4)
    label = rng.integers(0, 2, 80)
    logits = rng.normal(size=(80, 2)) + np.eye(2)[label]
    counts = count_classes(logits, label, RiskGrid(0.0, 2.0, 64))
    one = auc(counts.scores[1]).concordance.estimate
    assert mean_auc(counts).value == pytest.approx(one.value)
    assert mean_auc(counts).standard_error == pytest.approx(one.standard_error)


def test_averages_are_over_classes_that_are_there():
    logits, label = drawn()
    kept = label != 1
    found = class_figures(count_classes(logits[kept], label[kept], FINE), NAMES)
    assert found["auc"]["classes"] == ["a", "c"]
    assert found["balanced_accuracy"]["classes"] == ["a", "c"]
    assert found["macro_f1"]["classes"] == ["a", "b", "c"]  # some are taken for b
    assert found["classes"][1]["auc"]["value"] is None
    assert found["classes"][1]["recall"]["reason"] == "no patient to count"


def test_nobody_gives_reasons_in_place_of_figures():
    found = class_figures(no_patients(3, FINE), NAMES)
    for key in ("auc", "balanced_accuracy", "macro_f1", "accuracy"):
        assert found[key]["value"] is None
        assert found[key]["reason"]


def test_within_sites_telling_sites_apart_earns_nothing():
    # at each site all are of one score; site 1 has mostly class b, and scores for it
    grid, parts = RiskGrid(0.0, 1.0, 4), []
    for site, label in enumerate(([0, 0, 0, 1], [1, 1, 1, 0])):
        logits = np.tile([0.0, 4.0 * site - 2.0], (4, 1))
        parts.append(count_classes(logits, np.array(label), grid))
    assert mean_auc(parts[0] + parts[1]).value == 0.75
    assert within_sites(parts).value == 0.5
    assert within_sites([]).value is None
