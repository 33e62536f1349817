import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fusion.errors import FederationError
from fusion.interaction.module import audit_module, module_values
from fusion.interaction.shares import local_shares

README = Path(__file__).parents[3] / "fusion" / "README.md"


def test_the_example_of_the_readme_works_as_it_is_written():
    code = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    said: dict = {}
    exec(compile(code, "README", "exec"), said)
    theirs, test, hidden = said["theirs"], said["test"], said["background"]
    shown = {name: theirs.encode(name, given) for name, given in test.items()}
    mean = {name: value.expand_as(shown[name]) for name, value in hidden.items()}
    columns = [mean, mean | {"slides": shown["slides"]}, mean | {"rna": shown["rna"]}, shown]
    values = torch.stack([theirs.fuse(column) for column in columns], 1).detach().numpy()
    expected = local_shares(values)[:, 0].mean()
    assert said["share"]["interaction"] == pytest.approx(expected, abs=1e-12)
    assert 0.1 < expected < 0.9


SHAPES = {"image": (2, 3, 4), "rna": (5,), "age": ()}


def cohort(patients=6, names=tuple(SHAPES), dtype=torch.float64):
    random = torch.Generator().manual_seed(0)
    return {n: torch.randn(patients, *SHAPES[n], generator=random).to(dtype) for n in names}


def zeros(inputs):
    return {name: torch.zeros_like(given[0]) for name, given in inputs.items()}


def keep(_, given):
    return given


def product(embeddings):
    image, rna, age = (value.reshape(len(value), -1).sum(1) for value in embeddings.values())
    return image + rna + age + image * rna


def test_embeddings_may_have_any_shape():
    inputs = cohort()
    values = module_values(inputs, zeros(inputs), encode=keep, fuse=product)
    image, rna, age = (given.reshape(6, -1).sum(1).numpy() for given in inputs.values())
    # hidden = 0: column S holds what is visible of image (bit 0), rna (bit 1), age (bit 2)
    np.testing.assert_allclose(values[:, 3], image + rna + image * rna, atol=1e-12)
    np.testing.assert_allclose(values[:, 5], image + age, atol=1e-12)


def test_donors_stand_together_for_what_is_hidden():
    # one patient a = 1, b = 2; donors (a, b) = (0, 1) and (10, 3); the output is a b
    inputs = {"a": torch.tensor([1.0]).double(), "b": torch.tensor([2.0]).double()}
    donors = {"a": torch.tensor([0.0, 10]).double(), "b": torch.tensor([1.0, 3]).double()}
    values = module_values(inputs, donors, encode=keep, fuse=lambda e: e["a"] * e["b"])
    # nobody: (0 + 30) / 2; a seen: (1 + 3) / 2; b seen: (0 + 20) / 2; both: 2
    np.testing.assert_array_equal(values, [[15, 2, 10, 2]])


def test_each_modality_is_encoded_once():
    inputs, calls = cohort(), []
    audit_module(inputs, zeros(inputs), encode=lambda n, x: calls.append(n) or x, fuse=product)
    assert calls == ["image", "rna", "age"]


def test_a_module_in_float32_is_fused_in_float32():
    inputs, seen = cohort(dtype=torch.float32), set()
    linear = torch.nn.Linear(5, 1)

    def fuse(embeddings):
        seen.update(value.dtype for value in embeddings.values())
        return linear(embeddings["rna"]).squeeze(1) + product(embeddings)

    audit_module(inputs, zeros(inputs), encode=keep, fuse=fuse)
    assert seen == {torch.float32}


def test_concordance_comes_with_outcomes_alone():
    inputs = cohort(30)
    outcome = {"time": np.arange(1.0, 31), "event": np.ones(30, dtype=bool)}
    with_, without = (
        audit_module(inputs, zeros(inputs), encode=keep, fuse=product, **more)
        for more in (outcome, {})
    )
    assert 0 < with_["concordance"]["full"] < 1
    assert without["concordance"]["full"] is None
    json.dumps(with_, allow_nan=False)


def test_dropout_that_is_on_is_found():
    inputs, dropout = cohort(60), torch.nn.Dropout(0.5)
    with pytest.raises(FederationError, match=r"same output twice.*\.eval\(\)"):
        audit_module(inputs, zeros(inputs), encode=keep, fuse=lambda e: dropout(product(e)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fuse": lambda e: product(e)[:, None]}, r"one number a patient, got shape \(6, 1\)"),
        ({"fuse": lambda e: product(e) * torch.nan}, "got NaN or inf for 6 of 6 patients"),
        ({"encode": lambda n, x: x[:5] if n == "rna" else x}, "of the same patients, got"),
        ({"inputs": {}}, r"two or more modalities, got \[\]"),
        ({"inputs": cohort(names=("rna",))}, r"two or more modalities, got \['rna'\]"),
        ({"background": {}}, "got none for 'image'"),
        ({"background": zeros(cohort()) | {"rna": torch.zeros(4)}}, r"shape \(5,\), got \(4,\)"),
        ({"background": zeros(cohort()) | {"rna": torch.zeros(2, 2, 5)}}, r"got \(2, 2, 5\)"),
    ],
)
def test_a_module_that_breaks_the_contract_is_told_so(change, message):
    given = {"inputs": cohort(), "background": zeros(cohort()), "encode": keep, "fuse": product}
    given |= change
    inputs, background = given.pop("inputs"), given.pop("background")
    with pytest.raises(FederationError, match=message):
        audit_module(inputs, background, **given)
