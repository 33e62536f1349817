"""Faults of finished models and finished runs."""

import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from tests.hard_inputs.faults import Place, fault
from tests.hard_inputs.sound import write_bag


@fault("predict", "Model file must exist, got ")
def model_missing(place: Place) -> None:
    place.model.unlink()


@fault("predict", "Model file must exist, got ")
def model_that_is_a_folder(place: Place) -> None:
    place.model.unlink()
    place.model.mkdir()


@fault("predict", "Model file must be one that Concord wrote, got ")
def model_truncated(place: Place) -> None:
    place.model.write_bytes(place.model.read_bytes()[:-200])


@fault("predict", "Model file must be one that Concord wrote, got ")
def model_of_no_bytes(place: Place) -> None:
    place.model.write_bytes(b"")


@fault("predict", "Model file must be one that Concord wrote, got ")
def model_that_is_a_pickle(place: Place) -> None:
    place.model.write_bytes(
        b"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."
    )


def document(place: Place, change, drop: str = "") -> None:
    with safe_open(place.model, framework="numpy") as file:
        told = json.loads(file.metadata()["concord"])
    arrays = {k: v for k, v in load_file(place.model).items() if not drop or drop not in k}
    told = change(told)
    save_file(arrays, place.model, metadata={} if told is None else {"concord": json.dumps(told)})


@fault("predict", "Model file must be one that Concord wrote, got ")
def model_of_another_program(place: Place) -> None:
    document(place, lambda _: None)


@fault("predict", "must hold its plan, settings and baseline, got ")
def model_without_a_plan(place: Place) -> None:
    document(place, lambda told: {k: v for k, v in told.items() if k != "plan"})


@fault("predict", "Model file must hold its plan, settings and baseline, got ")
def model_with_a_damaged_plan(place: Place) -> None:
    document(place, lambda told: {**told, "plan": told["plan"][:50]})


@fault("predict", "Model file must hold its plan, settings and baseline, got ")
def model_with_a_plan_of_another_shape(place: Place) -> None:
    document(place, lambda told: {**told, "plan": "[1, 2]"})


@fault("predict", "Model file must hold its plan, settings and baseline, got ")
def model_with_unknown_settings(place: Place) -> None:
    document(place, lambda told: {**told, "config": {**told["config"], "model.moe": 3}})


@fault("predict", "Model file must hold its plan, settings and baseline, got ")
def model_with_a_baseline_of_words(place: Place) -> None:
    document(place, lambda told: {**told, "baseline": {"times": ["a"], "cumulative_hazard": ["b"]}})


@fault("predict", "Model file must hold its plan, settings and baseline, got ")
def model_with_a_baseline_cut_short(place: Place) -> None:
    document(
        place,
        lambda told: {**told, "baseline": {**told["baseline"], "cumulative_hazard": [0.1]}},
    )


@fault("predict", "Weights must be those of the network that plan and settings build, got ")
def model_lacking_weights(place: Place) -> None:
    document(place, lambda told: told, drop="fusion")


@fault("predict", "Weights must be those of the network that plan and settings build, got ")
def model_of_another_network(place: Place) -> None:
    document(place, lambda told: {**told, "config": {**told["config"], "model.hidden": 16}})


@fault("predict", "Weights must be finite numbers, got NaN or infinity in ")
def model_with_weights_that_are_no_numbers(place: Place) -> None:
    with safe_open(place.model, framework="numpy") as file:
        metadata = file.metadata()
    arrays = {name: np.full_like(value, np.nan) for name, value in load_file(place.model).items()}
    save_file(arrays, place.model, metadata=metadata)


@fault("predict", "Patch features must have the model's width 3, got 5 at site 'lyon'.")
def model_of_another_width(place: Place) -> None:
    place.replace("site.toml", "width = 3", "width = 5")
    for bag in place.bags.iterdir():
        write_bag(bag, {"features": np.zeros((3, 5), np.float32)})


@fault(
    "predict",
    "patch features come from 'other-3', the model was trained on 'made-up-3': its",
    warns=True,
)
def model_of_another_encoder(place: Place) -> None:
    place.replace("site.toml", "made-up-3", "other-3")


@fault("predict", "3 of 4 features are absent: their mean stands in", warns=True)
def model_that_knows_other_genes(place: Place) -> None:
    place.rows("rna.csv", lambda rows: [{"patient": r["patient"], "TP53": r["TP53"]} for r in rows])


@fault("predict", "File must be written whole, got Is a directory at ")
def predictions_to_a_folder(place: Place) -> list[object]:
    return ["--out", place.sites]


@fault("predict", "File must be written whole, got File exists at ")
def predictions_below_a_file(place: Place) -> list[object]:
    return ["--out", place.model / "p.csv"]


@fault("predict", "Bag must be a whole h5 file, got 'Zq-103-a.h5' (")
def bag_damaged_for_predict(place: Place) -> None:
    place.bag.write_bytes(b"no bag")


@fault("report", "A finished run must hold result.json, got none that can be read in ")
def run_without_a_result(place: Place) -> None:
    (place.out / "result.json").unlink()


@fault("report", "A finished run must hold result.json, got none that can be read in ")
def result_that_is_no_json(place: Place) -> None:
    (place.out / "result.json").write_text("{")


@fault("report", 'result must have type "object", got [1, 2].')
def result_of_another_kind(place: Place) -> None:
    (place.out / "result.json").write_text("[1, 2]")


@fault(
    "report",
    "result must have sites, got ['alerts', 'audit', 'config', 'config_hash',",
)
def result_without_its_sites(place: Place) -> None:
    told = json.loads((place.out / "result.json").read_text())
    del told["sites"]
    (place.out / "result.json").write_text(json.dumps(told))
