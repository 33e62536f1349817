import numpy as np
import pytest

from fusion.interaction.classes import ClassScales, of_predicted
from fusion.interaction.scales import CURVED, Scale
from fusion.interaction.shares import local_shares


def additive(patients=9, classes=3, seed=1):
    """Logits that add up over two modalities: none, first, second, both."""
    rng = np.random.default_rng(seed)
    base, first, second = rng.normal(size=(3, patients, classes))
    return np.stack([base, base + first, base + second, base + first + second], 1)


def test_the_class_is_that_of_the_full_model_whatever_is_hidden():
    # full logits 1, 3, 2: class 1; from their mean 2 it has 1; hidden both 0, 0, 3 -> 0 - 1 = -1
    outputs = np.array([[[0.0, 0.0, 3.0], [9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 3.0, 2.0]]])
    assert of_predicted(outputs, 3)[0, :, 0].tolist() == [-1.0, -3.0, 0.0, 1.0]


def test_logits_that_add_up_do_not_interact():
    values = of_predicted(additive(), 3)[:, :, 0]
    assert local_shares(values)[:, 0] == pytest.approx(0, abs=1e-12)


def test_a_constant_on_all_logits_of_a_coalition_changes_nothing():
    outputs = additive()
    moved = outputs + np.random.default_rng(2).normal(size=(9, 4, 1))
    np.testing.assert_allclose(of_predicted(moved, 3), of_predicted(outputs, 3), atol=1e-12)


def test_exclusive_or_of_two_modalities_as_a_probability():
    # bits 1, 1 make class 0 sure; with either hidden both classes are as likely: v = .5 .5 .5 1
    half, sure = [0.0, 0.0], [400.0, -400.0]
    logits = np.array([[half, half, half, sure]])
    read = ClassScales((Scale("probability", None),)).read
    outputs = np.stack([np.column_stack([one, read(one)]) for one in logits])
    values = of_predicted(outputs, 2)
    np.testing.assert_allclose(values[0, :, 1], [0.5, 0.5, 0.5, 1.0])
    assert local_shares(values[:, :, 1])[0, 0] == pytest.approx(1)


def test_the_scale_of_probabilities_has_no_time_and_a_warning_of_its_own():
    scale = Scale("probability", None)
    assert scale.release == "audit:probability"
    assert scale.warning == CURVED
    assert ClassScales(()).read(np.zeros((2, 3))).shape == (2, 0)
