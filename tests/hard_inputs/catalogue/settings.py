"""Faults of a run's settings."""

from tests.hard_inputs.faults import Place, fault


def setting(text: str, says: str) -> None:
    """Put one wrong value of a setting into the catalogue."""

    def spoil(_: Place) -> list[object]:
        return ["--set", text]

    spoil.__name__ = f"setting {text}"
    fault("run", says)(spoil)


setting("training.lr", "--set must be KEY=VALUE, got 'training.lr'.")
setting("training.lr=fast", "training.lr must be a number, got 'fast'.")
setting("training.lr=-1", "training.lr must be >= 0, got -1.0.")
setting("training.lr=nan", "training.lr must be >= 0, got nan.")
setting("training.lr=inf", "training.lr must be < 9.22337e+18, got inf.")
setting("training.lr=1,5", "training.lr must be a number, got '1,5'.")
setting("training.lerning-rate=1", "Setting must be a known key, got 'training.lerning-rate'.")
setting("lr=1", "Setting must be a known key, got 'lr'.")
setting("rounds=0", "rounds must be >= 1, got 0.")
setting("rounds=2.5", "rounds must be a whole number, got '2.5'.")
setting("rounds=1e3", "rounds must be a whole number, got '1e3'.")
setting("rounds=99999999999999999999", "rounds must be < 9.22337e+18, got 99999999999999999999.")
setting("seed=-1", "seed must be >= 0, got -1.")
setting("seed=true", "seed must be a whole number, got 'true'.")
setting("resume=perhaps", "resume must be true or false, got 'perhaps'.")
setting("threads=0", "threads must be >= 1, got 0.")
setting("model.name=gatd", "model must be registered, got 'gatd'.")
setting("model.norm=bach", "model.norm must be one of layer, batch, got 'bach'.")
setting("model.dropout=1", "model.dropout must be < 1, got 1.0.")
setting("model.width=0", "model.width must be >= 1, got 0.")
setting("model.width=4000000000", "model.width must be < 16384, got 4000000000.")
setting("objective.name=coxx", "objective.name must be registered, got 'coxx'.")
setting("objective.cuts=900,400", "objective.cuts must increase from above 0, got '900,400'.")
setting("objective.cuts=a,b", "objective.cuts must be numbers with commas between, got 'a,b'.")
setting("objective.intervals=0", "objective.intervals must be >= 1, got 0.")
setting("split.test=1", "split.test must be < 1, got 1.0.")
setting("split.test=0.9", "split.validation + split.test must be < 1, got 1.15.")
setting("data.omics=rnaseq", "data.omics must name tables that every site has, got 'rnaseq'.")
setting(
    "data.clinical=ago", "Clinical column must be one the site has, got 'ago' in data.clinical."
)
setting(
    "data.clinical=slide", "Clinical column must be one the site has, got 'slide' in data.clinical."
)
setting("data.max-patches=0", "data.max-patches must be >= 1, got 0.")
setting("data.scaling=federatd", "Scaling file must be readable JSON, got ")
setting("split.hold-out=lyn", "split.hold-out must name sites, got 'lyn'.")
setting(
    "split.hold-out=lyon,porto",
    "At least one site must be able to train, got none of 2 (none has training patients).",
)
setting("federation.strategy=fedsgd", "federation.strategy must be registered, got 'fedsgd'.")
setting(
    "federation.quorum=3",
    "federation.quorum must be at most the number of site folders, got 3 of 2.",
)
setting(
    "federation.weighting=size", "federation.weighting must be one of patients, events, got 'size'."
)
setting("evaluation.time-step=1", "evaluation.time-step must be >= 30, got 1.0.")
setting("evaluation.horizons=5,1", "evaluation.horizons must increase from above 0, got '5,1'.")
setting("evaluation.horizons=-1", "evaluation.horizons must increase from above 0, got '-1'.")
setting(
    "audit.background=mean",
    "audit.background must be one of embedding-mean, input-mean, zero, marginal, got 'mean'.",
)
setting("threads=4000000000", "threads must be < 1024, got 4000000000.")
setting(
    "evaluation.time-bins=100000000000", "evaluation.time-bins must be < 16384, got 100000000000."
)
setting("=3", "Setting must be a known key, got ''.")
setting("model=gated", "Setting must be a known key, got 'model'.")
setting("sites=", "--sites must be given, got none.")


@fault("run", "concord-simulate run: error: argument --rounds: invalid int value: 'ten'")
def rounds_in_words(_: Place) -> list[object]:
    return ["--rounds", "ten"]


@fault("run", "model.heads must divide model.hidden, got 3 and 8.")
def heads_that_do_not_divide_the_width(_: Place) -> list[object]:
    return ["--model", "cross_attention", "--set", "model.heads=3"]


@fault("run", "Config file must exist, got ")
def config_missing(place: Place) -> list[object]:
    return ["--config", place.root / "none.toml"]


@fault("run", "Config file must be TOML, got ")
def config_that_is_a_folder(place: Place) -> list[object]:
    return ["--config", place.sites]


def config(place: Place, content: bytes) -> list[object]:
    (place.root / "run.toml").write_bytes(content)
    return ["--config", place.root / "run.toml"]


@fault("run", "Config file must be TOML, got ")
def config_that_is_no_toml(place: Place) -> list[object]:
    return config(place, b"rounds: 3\n")


@fault("run", "Config file must be TOML, got ")
def config_in_utf_16(place: Place) -> list[object]:
    return config(place, "rounds = 3\n".encode("utf-16"))


@fault("run", "Setting must be a known key, got 'traning.lr'.")
def config_with_an_unknown_key(place: Place) -> list[object]:
    return config(place, b"[traning]\nlr = 1\n")


@fault("run", "training.lr must be a number, got 'fast'.")
def config_with_a_text_for_a_number(place: Place) -> list[object]:
    return config(place, b'[training]\nlr = "fast"\n')


@fault("run", "rounds must be a whole number, got '2020-01-01'.")
def config_with_a_date(place: Place) -> list[object]:
    return config(place, b"rounds = 2020-01-01\n")


@fault("run", "data.omics must name tables that every site has, got '['rna']'.")
def config_with_a_list_of_lists(place: Place) -> list[object]:
    return config(place, b"[data]\nomics = [['rna']]\n")


@fault("run", "Setting must be a known key, got 'seed.value'.")
def config_with_a_section_for_a_value(place: Place) -> list[object]:
    return config(place, b"[seed]\nvalue = 1\n")


@fault("run", "Setting must be a known key, got 'model'.")
def config_with_a_value_for_a_section(place: Place) -> list[object]:
    return config(place, b'model = "gated"\n')


@fault("run", "Setting must be given once, got two for training.local-steps.")
def config_with_one_key_in_two_spellings(place: Place) -> list[object]:
    return config(place, b"[training]\nlocal-steps = 1\nlocal_steps = 2\n")
