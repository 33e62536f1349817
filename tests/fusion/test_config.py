import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.config import (
    AT_LEAST,
    AT_MOST,
    BELOW,
    CHOICES,
    ModelConfig,
    RunConfig,
    flatten,
    from_flat,
    from_toml,
)
from fusion.errors import ConfigError

DEFAULTS = flatten(RunConfig())


def test_settings_are_dotted_kebab_case_scalars():
    assert DEFAULTS["training.local-steps"] == 10
    assert all("_" not in key for key in DEFAULTS)
    assert all(isinstance(value, str | int | float | bool) for value in DEFAULTS.values())


def test_every_field_has_a_setting():
    sections = [field for field in fields(RunConfig) if f"{field.name}.name" in DEFAULTS]
    assert {section.name for section in sections} == {"model", "objective"}
    assert len([key for key in DEFAULTS if key.startswith("model.")]) == len(fields(ModelConfig))


@given(
    seed=st.integers(0, 2**31),
    dropout=st.floats(0, 0.999),
    resume=st.booleans(),
    norm=st.sampled_from(["layer", "batch"]),
)
def test_flat_settings_give_back_the_same_configuration(seed, dropout, resume, norm):
    config = RunConfig(
        seed=seed, resume=resume, model=replace(ModelConfig(), dropout=dropout, norm=norm)
    )
    assert from_flat(flatten(config)) == config


def test_settings_as_text_give_back_the_same_configuration():
    assert from_flat({key: str(value) for key, value in DEFAULTS.items()}) == RunConfig()


def test_only_named_settings_change():
    base = RunConfig(rounds=7)
    changed = flatten(from_flat({"training.lr": 0.5}, base))
    assert {k for k in changed if changed[k] != DEFAULTS[k]} == {"training.lr", "rounds"}


def test_snake_case_is_read_too():
    assert from_flat({"training.local_steps": 3}).training.local_steps == 3


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("training.learning-rate", "training"),
        ("trainning.lr", "training.lr"),
        ("model.nam", "model.name"),
        ("round", "rounds"),
        ("local-steps", "training.local-steps"),
        ("model", "model.rank"),
    ],
)
def test_an_unknown_key_names_the_nearest(written, meant):
    with pytest.raises(ConfigError, match=rf"known key, got '{written}'\. .*{meant}"):
        from_flat({written: 1})


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("rounds", "3", 3),
        ("training.lr", "1e-3", 0.001),
        ("training.lr", 1, 1.0),
        ("resume", "True", True),
        ("objective.cuts", [100, 200.5], "100,200.5"),
        ("model.name", "late", "late"),
    ],
)
def test_text_is_read_as_the_type_of_the_default(key, value, read):
    found = flatten(from_flat({key: value}))[key]
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rounds", "many"),
        ("rounds", "2.5"),
        ("rounds", 2.5),
        ("rounds", True),
        ("training.lr", True),
        ("training.lr", ""),
        ("training.lr", None),
        ("resume", "yes"),
        ("resume", 1),
        ("model.name", 3),
        pytest.param("training.lr", 10**400, id="beyond"),
        ("training.lr", [1.0]),
    ],
)
def test_a_value_of_another_type_is_refused(key, value):
    with pytest.raises(ConfigError, match=rf"{key} must be (a |true or false).*, got .*\. Mend it"):
        from_flat({key: value})


def test_every_rule_belongs_to_a_setting():
    assert {*AT_LEAST, *AT_MOST, *BELOW, *CHOICES} <= set(DEFAULTS)


def test_every_number_has_a_smallest_value():
    numeric = {k for k, v in DEFAULTS.items() if type(v) in (int, float)}
    assert numeric == set(AT_LEAST)


@pytest.mark.parametrize("key", AT_LEAST)
def test_a_number_below_its_smallest_is_refused(key):
    with pytest.raises(ConfigError, match=rf"{key} must be >= .*, got .*\. Raise it\."):
        from_flat({key: type(DEFAULTS[key])(AT_LEAST[key] - 1)})


@pytest.mark.parametrize(("key", "bound"), BELOW.items())
def test_a_number_at_its_bound_is_refused(key, bound):
    with pytest.raises(
        ConfigError, match=rf"{key} must be < {bound:g}, got {bound}.*\. Lower it\."
    ):
        from_flat({key: bound})


@pytest.mark.parametrize(("key", "most"), AT_MOST.items())
def test_a_number_above_its_largest_is_refused(key, most):
    assert flatten(from_flat({key: most}))[key] == most
    with pytest.raises(ConfigError, match=rf"{key} must be <= {most:g}, got 1\.01\. Lower it\."):
        from_flat({key: most + 0.01})


def test_a_setting_in_two_spellings_is_refused():
    with pytest.raises(
        ConfigError, match=r"given once, got two for training\.local-steps\. Remove"
    ):
        from_flat({"training.local-steps": 1, "training.local_steps": 2})


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "run.toml").write_bytes(b"\xef\xbb\xbfrounds = 3\n")
    assert from_toml(tmp_path / "run.toml").rounds == 3


@pytest.mark.parametrize("key", [key for key in AT_LEAST if isinstance(DEFAULTS[key], float)])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(key, value):
    with pytest.raises(ConfigError, match=rf"{key} must be .*, got -?(nan|inf)"):
        from_flat({key: value})


def test_a_whole_number_beyond_every_machine_is_refused():
    with pytest.raises(ConfigError, match="seed must be"):
        from_flat({"seed": "1" + "0" * 400})


@pytest.mark.parametrize("key", CHOICES)
def test_a_word_that_is_no_choice_names_the_nearest(key):
    known = CHOICES[key][0]
    with pytest.raises(ConfigError, match=rf"{key} must be one of .*Did you mean '{known}'\?"):
        from_flat({key: known + "x"})


def test_patients_must_be_left_to_train_on():
    with pytest.raises(ConfigError, match=r"split.validation \+ split.test must be < 1, got 1\.1"):
        from_flat({"split.validation": 0.5, "split.test": 0.6})


@pytest.mark.parametrize("text", ["5,5", "5,4", "0,5", "-1"])
def test_numbers_that_do_not_increase_from_above_zero_are_refused(text):
    with pytest.raises(ConfigError, match=rf"objective.cuts must increase .*'{text}'\. Sort it"):
        from_flat({"objective.cuts": text})


@pytest.mark.parametrize("text", ["a year", "1;2", "nan", "1,nan", "inf"])
def test_numbers_that_are_words_are_refused(text):
    with pytest.raises(ConfigError, match=r"evaluation\.horizons must"):
        from_flat({"evaluation.horizons": text})


def test_a_file_of_sections_is_read(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("seed = 5\n[training]\nlr = 1\nlocal-steps = 2\n[objective]\ncuts = [1, 2]\n")
    config = from_toml(path, RunConfig(rounds=9))
    assert (config.seed, config.rounds, config.training.lr) == (5, 9, 1.0)
    assert config.objective.cuts == "1,2"


def test_a_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"Config file must exist, got '.*none\.toml'"):
        from_toml(tmp_path / "none.toml")


@pytest.mark.parametrize("content", [b"seed = ", b"\xff\xfe", b"[a]\n[a]\n"])
def test_a_file_that_is_no_toml_is_refused(tmp_path, content):
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"Config file must be TOML, got '.*run\.toml'"):
        from_toml(path)


def test_a_folder_is_no_config_file(tmp_path):
    with pytest.raises(ConfigError, match="Config file must be TOML"):
        from_toml(tmp_path)


def test_an_unknown_key_in_a_file_names_the_nearest(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("[training]\nlocal-step = 2\n")
    with pytest.raises(ConfigError, match=r"'training\.local-step'.*'training\.local-steps'"):
        from_toml(path)


def test_a_key_without_its_section_is_told_the_section():
    with pytest.raises(ConfigError, match=r"got 'lr'. Did you mean 'training.lr'\?"):
        from_flat({"lr": 1})


def test_time_bins_finer_than_a_month_are_refused():
    with pytest.raises(ConfigError, match=r"evaluation.time-step must be >= 30, got 1"):
        from_flat({"evaluation.time-step": 1})


def test_a_bootstrap_of_few_replicates_is_refused():
    assert from_flat({"audit.bootstrap": 100}).audit.bootstrap == 100
    with pytest.raises(ConfigError, match=r"audit.bootstrap must be 0 or >= 100, got 99\. Raise"):
        from_flat({"audit.bootstrap": 99})
