"""Faults of a run's settings, of the folders it is given, and of sites that do not fit together."""

import json
import os
import shutil
from pathlib import Path

from tests.hard_inputs.faults import Place, fault
from tests.hard_inputs.sound import GENES, WIDTH, patches, read_rows, write_bag


@fault("run", "Sites must be a folder of site folders, each with a site.toml, got ")
def sites_missing(place: Place) -> None:
    shutil.rmtree(place.sites)


@fault("run", "Sites must be a folder of site folders, each with a site.toml, got ")
def sites_empty(place: Place) -> None:
    shutil.rmtree(place.sites)
    place.sites.mkdir()


@fault("run", "Sites must be a folder of site folders, each with a site.toml, got ")
def sites_that_is_a_file(place: Place) -> None:
    shutil.rmtree(place.sites)
    place.sites.write_text("lyon")


@fault("run", "Sites must be a folder of site folders, each with a site.toml, got ")
def sites_that_is_one_site(place: Place) -> list[object]:
    return ["--sites", place.site]


@fault("run", "Sites must be a folder of site folders, each with a site.toml, got ")
def sites_one_level_too_deep(place: Place) -> None:
    place.sites.rename(place.root / "inner")
    place.sites.mkdir()
    (place.root / "inner").rename(place.sites / "inner")


@fault("run", "Every folder of ")
def sites_with_a_folder_of_something_else(place: Place) -> None:
    (place.sites / "notes").mkdir()


@fault("run", "Output folder must be new or empty, got ")
def out_that_is_a_file(place: Place) -> None:
    place.out.write_text("mine")


@fault("run", "Output folder must be new or empty, got ")
def out_with_something_in_it(place: Place) -> None:
    place.out.mkdir()
    (place.out / "mine.txt").write_text("mine")


@fault("run", "Output folder must be one that can be written, got ")
def out_below_a_file(place: Place) -> list[object]:
    (place.root / "file").write_text("mine")
    return ["--out", place.root / "file" / "run"]


@fault("run", "--out must lie outside --sites, got ")
def out_among_the_sites(place: Place) -> list[object]:
    return ["--out", place.sites / "run"]


@fault("run", "--out must lie outside --sites, got ")
def out_inside_a_site(place: Place) -> list[object]:
    return ["--out", place.site / "run"]


@fault("run", "Output folder must be new or empty, got ")
def out_in_a_loop_of_links(place: Place) -> None:
    place.out.symlink_to(place.out)


@fault("run", "Output folder must be new or empty, got ")
def out_that_is_a_pipe(place: Place) -> None:
    os.mkfifo(place.out)


@fault("run", "Output folder must be one that can be written, got ")
def out_with_a_name_longer_than_a_disk_allows(place: Place) -> list[object]:
    return ["--out", place.root / ("o" * 300)]


@fault("run", "A run to resume must have a checkpoint, got none in ")
def resume_of_nothing(place: Place) -> list[object]:
    return ["--resume", place.root / "none"]


@fault("run", "Model file must be one that Concord wrote, got ")
def resume_of_a_damaged_checkpoint(place: Place) -> list[object]:
    place.out.mkdir()
    (place.out / "checkpoint.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    return ["--resume", place.out]


@fault(
    "run",
    "A checkpoint must hold the state between two rounds, got none of",
)
def resume_of_a_model_in_place_of_a_checkpoint(place: Place) -> list[object]:
    place.out.mkdir()
    shutil.copy(place.model, place.out / "checkpoint.safetensors")
    return ["--resume", place.out]


@fault("run", "Each site must have a name of its own, got 'porto' more than once.")
def two_sites_of_one_name(place: Place) -> None:
    place.replace("site.toml", '"lyon"', '"porto"')


@fault(
    "run",
    "All sites must use one slide feature encoder, got porto: made-up-3 (3), lyon:",
)
def two_encoders(place: Place) -> None:
    place.replace("site.toml", "made-up-3", "made-up-4")


@fault(
    "run",
    "All sites must use one slide feature encoder, got porto: made-up-3 (3), lyon:",
)
def two_widths_of_one_encoder(place: Place) -> None:
    place.replace("site.toml", "width = 3", "width = 5")
    for number, bag in enumerate(place.bags.iterdir()):
        write_bag(bag, {"features": patches(number, 5)})


def both(place: Place) -> list[Place]:
    """A place for each of the two sites, whose `site` is that one."""
    return [place, Other(place.root)]


class Other(Place):
    """The same place, seen from the second site."""

    @property
    def site(self) -> Path:
        return self.sites / "porto"


@fault("run", "Sites must share genes, got none in common in table 'rna' of 2 sites.")
def no_gene_in_common(place: Place) -> None:
    names = {"patient": "patient", "TP53": "A", "EGFR": "B", "KRAS": "C", "PTEN": "D"}
    place.rows("rna.csv", lambda rows: [{names[k]: v for k, v in row.items()} for row in rows])


@fault(
    "run",
    "The federation must have at least one event to train on, got 0 among 8 training",
)
def no_event_at_any_site(place: Place) -> None:
    for one in both(place):
        one.rows("clinical.csv", lambda rows: [{**row, "event": "0"} for row in rows])


@fault(
    "run", "At least one site must be able to train, got none of 2 (none has training patients)."
)
def nobody_to_train_on(place: Place) -> None:
    for one in both(place):
        one.replace("site.toml", "[features]", 'role = "evaluate-only"\n\n[features]')


@fault(
    "run", "At least one site must be able to train, got none of 2 (none has training patients)."
)
def one_training_patient_a_site(place: Place) -> None:
    for one in both(place):
        first = min(row["patient"] for row in read_rows(one.site / "clinical.csv"))
        one.rows(
            "clinical.csv",
            lambda rows, first=first: [
                {**row, "split": "train" if row["patient"] == first else "test"} for row in rows
            ],
        )


@fault("run", "Model 'gated' must fuse at least 2 modalities, got none.")
def nothing_to_read(place: Place) -> None:
    for one in both(place):
        (one.site / "site.toml").write_text(f'name = "{one.site.name}"\n', encoding="utf-8")


@fault("run", "Model 'cross_attention' must fuse at least 2 modalities, got omics.")
def fusion_without_slides(place: Place) -> list[object]:
    for one in both(place):
        text = (one.site / "site.toml").read_text(encoding="utf-8")
        start, end = text.index("[features]"), text.index("[clinical]")
        (one.site / "site.toml").write_text(text[:start] + text[end:], encoding="utf-8")
    return ["--model", "cross_attention"]


def scaling(place: Place, content: object) -> list[object]:
    path = place.root / "scaling.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return ["--set", f"data.scaling={path}"]


SOUND = {
    "omics": {f"rna:{gene}": {"mean": 0.0, "sd": 1.0} for gene in GENES},
    "slides": {"mean": [0.0] * WIDTH, "sd": [1.0] * WIDTH},
}


@fault("run", "Scaling file must be readable JSON, got ")
def scaling_file_missing(place: Place) -> list[object]:
    return ["--set", f"data.scaling={place.root / 'none.json'}"]


@fault("run", "Scaling file must be readable JSON, got ")
def scaling_file_that_is_no_json(place: Place) -> list[object]:
    return scaling(place, "omics: 3")


@fault("run", "Scaling file must hold tables `omics` and `slides`, got something else in ")
def scaling_file_that_is_a_list(place: Place) -> list[object]:
    return scaling(place, [1, 2])


@fault(
    "run",
    "Scaling file must cover every feature, got none for rna:EGFR, rna:KRAS, rna:PTEN",
)
def scaling_file_without_a_gene(place: Place) -> list[object]:
    return scaling(place, {**SOUND, "omics": {}})


@fault(
    "run",
    "Scaling file must give 4 finite numbers for omics sd (none below 0 for sd), got 1",
)
def scaling_file_with_a_text(place: Place) -> list[object]:
    return scaling(place, json.dumps(SOUND).replace('"sd": 1.0', '"sd": "one"', 1))


@fault(
    "run",
    "Scaling file must give 4 finite numbers for omics mean (none below 0 for sd), got",
)
def scaling_file_with_nan(place: Place) -> list[object]:
    return scaling(place, json.dumps(SOUND).replace('"mean": 0.0', '"mean": NaN', 1))


@fault(
    "run",
    "Scaling file must give 4 finite numbers for omics sd (none below 0 for sd), got 4",
)
def scaling_file_with_a_negative_spread(place: Place) -> list[object]:
    return scaling(place, json.dumps(SOUND).replace('"sd": 1.0', '"sd": -1.0', 1))


@fault(
    "run",
    "Scaling file must give 3 finite numbers for slides.mean (none below 0 for sd),",
)
def scaling_file_of_another_width(place: Place) -> list[object]:
    return scaling(place, {**SOUND, "slides": {"mean": [0.0], "sd": [1.0]}})


@fault("run", "Scaling file must be readable JSON, got ")
def scaling_file_nested_without_end(place: Place) -> list[object]:
    return scaling(place, "[" * 100_000)
