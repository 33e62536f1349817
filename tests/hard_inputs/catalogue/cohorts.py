"""Faults of cohorts to be partitioned, and of hospitals to be made up."""

import os

from tests.hard_inputs.faults import Place, fault
from tests.hard_inputs.sound import read_rows, write_rows


def clinical(place: Place, change) -> None:
    path = place.cohort / "clinical.csv"
    rows = read_rows(path)
    write_rows(path, [change(dict(row)) for row in rows])


@fault("partition", "Cohort folder must exist, got ")
def cohort_missing(place: Place) -> list[object]:
    return ["--cohort", place.root / "none"]


@fault("partition", "Clinical table must exist, got no file ")
def cohort_without_a_clinical_table(place: Place) -> None:
    (place.cohort / "clinical.csv").unlink()


@fault(
    "partition",
    "--by must be hospital, a clinical column, or one of iid, dirichlet-time,",
)
def cohort_without_hospitals(place: Place) -> None:
    clinical(place, lambda row: {k: v for k, v in row.items() if k != "site"})


@fault(
    "partition",
    "--by must be hospital, a clinical column, or one of iid, dirichlet-time,",
)
def hospital_column_that_is_not_there(_: Place) -> list[object]:
    return ["--by", "hospitl"]


@fault(
    "partition",
    "Hospital must be a name that can be a folder's, got '', '', '' and 5 more in `site`.",
)
def hospital_not_named(place: Place) -> None:
    clinical(place, lambda row: {**row, "site": ""})


@fault(
    "partition",
    "Hospital must be a name that can be a folder's, got '../north', '../north',",
)
def hospital_that_leads_elsewhere(place: Place) -> None:
    clinical(place, lambda row: {**row, "site": "../" + row["site"]})


@fault(
    "partition", "Hospital must not be called 'pooled-small' where small ones are pooled, got one."
)
def hospital_called_as_the_pool(place: Place) -> list[object]:
    few = ("Zq-101", "Zq-102")
    clinical(place, lambda row: {**row, "site": "few" if row["patient"] in few else "pooled-small"})
    return ["--min-patients", "3"]


@fault("partition", "Patient must belong to one hospital, got several at Zq-108 in `site`.")
def patient_of_two_hospitals(place: Place) -> None:
    clinical(place, lambda row: {**row, "site": row["slide"]})


@fault("partition", "--min-patients must leave a hospital, got 50 where the largest has 4.")
def cohort_of_small_hospitals(_: Place) -> list[object]:
    return ["--min-patients", "50", "--small", "drop"]


@fault("partition", "--min-patients must be >= 1, got -1.")
def least_number_of_patients_negative(_: Place) -> list[object]:
    return ["--min-patients", "-1"]


@fault("partition", "Genomics table must have one row a patient, got more for Zq-101.")
def patient_twice_in_genomics(place: Place) -> None:
    path = place.cohort / "genomics.csv"
    write_rows(path, [*read_rows(path), read_rows(path)[0]])


@fault("partition", "Width of the features must be known, got no readable bag in ")
def every_bag_of_a_cohort_damaged(place: Place) -> None:
    for bag in (place.cohort / "patch_features").iterdir():
        bag.write_bytes(b"no bag")


@fault("partition", "Folder of patch features must hold .h5 or .pt or .npy files, got ")
def every_bag_of_a_cohort_a_pipe(place: Place) -> None:
    for bag in list((place.cohort / "patch_features").iterdir()):
        bag.unlink()
        os.mkfifo(bag)


@fault("partition", "Genomics table must be readable, got 'genomics.parquet': ")
def genomics_that_is_no_parquet(place: Place) -> None:
    (place.cohort / "genomics.csv").rename(place.cohort / "genomics.parquet")


@fault("partition", "--out must be an absent or empty folder, got ")
def partition_into_a_full_folder(place: Place) -> list[object]:
    return ["--out", place.sites]


@fault("partition", "--out must be a folder that can be written, got ")
def partition_below_a_file(place: Place) -> list[object]:
    return ["--out", place.cohort / "clinical.csv" / "sites"]


@fault("synthesise", "--out must be an absent or empty folder, got ")
def synthesise_into_a_full_folder(place: Place) -> list[object]:
    return ["--out", place.sites]


@fault("synthesise", "--out must be a folder that can be written, got ")
def synthesise_below_a_file(place: Place) -> list[object]:
    return ["--out", place.predictions / "sites"]


@fault("synthesise", "--sites must be >= 1, got 0.")
def synthesise_no_site(_: Place) -> list[object]:
    return ["--sites", "0"]


@fault("synthesise", "--patients must be >= 2, got 0.")
def synthesise_no_patient(_: Place) -> list[object]:
    return ["--patients", "0"]


@fault("synthesise", "--patients must be >= 2, got 1.")
def synthesise_one_patient(_: Place) -> list[object]:
    return ["--patients", "1"]


@fault("synthesise", "--interaction must be a finite number, got nan.")
def synthesise_with_no_number(_: Place) -> list[object]:
    return ["--interaction", "nan"]


@fault("synthesise", "--seed must be >= 0, got -1.")
def synthesise_with_a_negative_seed(_: Place) -> list[object]:
    return ["--seed", "-1"]
