"""Faults of omics tables."""

import pandas as pd

from tests.hard_inputs.faults import Place, fault
from tests.hard_inputs.sound import GENES

TABLE = "rna.csv"


def each(place: Place, **values: object) -> None:
    place.rows(TABLE, lambda rows: [{**row, **values} for row in rows])


def as_parquet(place: Place) -> pd.DataFrame:
    place.replace("site.toml", "rna.csv", "rna.parquet")
    return pd.read_csv(place.site / TABLE)


@fault("doctor", "Omics table rna must exist, got no file ")
def omics_table_missing(place: Place) -> None:
    (place.site / TABLE).unlink()


@fault("doctor", "Omics table rna must exist, got no file ")
def omics_table_that_is_a_folder(place: Place) -> None:
    (place.site / TABLE).unlink()
    (place.site / TABLE).mkdir()


@fault("doctor", "Omics table rna must be readable, got 'rna.csv': ")
def omics_table_of_no_bytes(place: Place) -> None:
    place.content(TABLE, lambda _: b"")


@fault("doctor", "Omics table rna must have at least one row, got none in 'rna.csv'.")
def omics_table_with_a_header_alone(place: Place) -> None:
    place.content(TABLE, lambda text: text.splitlines()[0] + b"\n")


@fault("doctor", "Omics table rna must have at least one gene, got none beside the patient.")
def omics_table_of_patients_alone(place: Place) -> None:
    place.rows(TABLE, lambda rows: [{"patient": row["patient"]} for row in rows])


@fault(
    "doctor",
    "Omics table rna must have a header row, got a patient's row in its place (Zq-101,",
)
def omics_table_without_a_header(place: Place) -> None:
    place.content(TABLE, lambda text: text.split(b"\n", 1)[1])


@fault("doctor", "Omics table rna must hold numbers, got text in `TP53` ('high') (1 column).")
def gene_in_words(place: Place) -> None:
    place.cell(TABLE, "TP53", "high")


@fault("doctor", "Omics table rna must hold numbers, got text in `TP53` ('1,5') (1 column).")
def gene_with_decimal_commas(place: Place) -> None:
    each(place, TP53="1,5")


@fault("doctor", "Omics table rna must hold numbers, got text in `TP53` ('2-Mar') (1 column).")
def gene_that_is_a_date(place: Place) -> None:
    each(place, TP53="2-Mar")


@fault("doctor", "Omics table rna must be readable, got 'rna.csv': columns named twice: TP53.")
def gene_twice(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"EGFR", b"TP53"))


@fault("doctor", "Omics table rna must be readable, got 'rna.csv': columns named twice: TP53.")
def gene_twice_but_for_blanks(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"EGFR", b" TP53"))


@fault(
    "doctor", "Omics table rna must name every gene, got 1 column without a name beside `patient`."
)
def gene_without_a_name(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"EGFR", b""))


@fault(
    "doctor",
    "Omics table rna must hold finite numbers, got 1 empty or infinite value in EGFR,",
)
def value_not_known(place: Place) -> None:
    place.cell(TABLE, "EGFR", "")


@fault(
    "doctor",
    "Omics table rna must hold finite numbers, got 1 empty or infinite value in EGFR,",
)
def value_infinite(place: Place) -> None:
    place.cell(TABLE, "EGFR", "-inf")


@fault(
    "doctor",
    "Omics table rna must hold finite numbers, got 1 empty or infinite value in EGFR,",
)
def value_beyond_single_precision(place: Place) -> None:
    place.cell(TABLE, "EGFR", "1e39")


@fault(
    "doctor",
    "Omics table rna must hold finite numbers, got 7 empty or infinite values in EGFR,",
)
def gene_never_known(place: Place) -> None:
    each(place, EGFR="")


@fault("doctor", "Omics table rna must hold numbers, got text in `EGFR` ('1+2j') (1 column).")
def gene_of_complex_numbers(place: Place) -> None:
    each(place, EGFR="1+2j")


@fault(
    "doctor",
    "Omics table rna looks unscaled: 100% of its values lie beyond 5. Scale it to",
    warns=True,
)
def omics_never_scaled(place: Place) -> None:
    each(place, **dict.fromkeys(GENES, "812.5"))


@fault(
    "run",
    "Site 'lyon': Omics table rna must be scaled (z-scores), got 100% of its values",
)
def omics_never_scaled_in_a_run(place: Place) -> None:
    each(place, **dict.fromkeys(GENES, "812.5"))


@fault("doctor", "Omics table rna must have one row a patient, got more for Zq-101 (1 patient).")
def patient_twice_in_omics(place: Place) -> None:
    place.rows(TABLE, lambda rows: [*rows, rows[0]])


@fault("doctor", "Omics table rna must name the patient of each row, got 1 empty name.")
def patient_not_named_in_omics(place: Place) -> None:
    place.cell(TABLE, "patient", "")


@fault(
    "doctor",
    "Omics table rna must share patients with the clinical table, got none (first:",
)
def patients_of_another_spelling(place: Place) -> None:
    place.rows(TABLE, lambda rows: [{**row, "patient": row["patient"].lower()} for row in rows])


@fault(
    "doctor",
    "Omics table rna must share patients with the clinical table, got none (first:",
)
def genes_in_rows(place: Place) -> None:
    rows = pd.read_csv(place.site / TABLE, index_col=0).T
    rows.to_csv(place.site / TABLE)


@fault("doctor", "Omics table rna must be readable, got 'rna.csv': ")
def omics_row_with_a_cell_too_many(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"\n", b",7\n").replace(b"PTEN,7", b"PTEN"))


@fault(
    "doctor",
    "Omics table rna must be readable, got 'rna.csv': its columns are not separated by",
)
def omics_with_semicolons(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b",", b";"))


@fault("doctor", "Omics table rna must be readable, got 'rna.csv': it holds a null byte.")
def omics_with_null_bytes(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"Zq-103", b"Zq-\x00103"))


@fault("doctor", "Omics table rna must be readable, got 'rna.parquet': ")
def parquet_truncated(place: Place) -> None:
    as_parquet(place).to_parquet(place.site / "rna.parquet")
    content = (place.site / "rna.parquet").read_bytes()
    (place.site / "rna.parquet").write_bytes(content[: len(content) // 2])


@fault("doctor", "Omics table rna must be readable, got 'rna.parquet': ")
def parquet_damaged_inside(place: Place) -> None:
    as_parquet(place).to_parquet(place.site / "rna.parquet")
    content = bytearray((place.site / "rna.parquet").read_bytes())
    content[4:400] = b"\xff" * 396
    (place.site / "rna.parquet").write_bytes(bytes(content))


@fault("doctor", "Omics table rna must hold numbers, got text in `EGFR` ('[1. 2.]') (1 column).")
def parquet_of_lists(place: Place) -> None:
    table = as_parquet(place)
    table["EGFR"] = [[1.0, 2.0]] * len(table)
    table.to_parquet(place.site / "rna.parquet")


@fault(
    "doctor",
    "Omics table rna must hold numbers, got text in `EGFR` ('2020-01-01 00:00:00') (1",
)
def parquet_of_dates(place: Place) -> None:
    table = as_parquet(place)
    table["EGFR"] = pd.Timestamp("2020-01-01")
    table.to_parquet(place.site / "rna.parquet")


@fault("doctor", "Omics table rna must have at least one row, got none in 'rna.parquet'.")
def parquet_of_no_columns(place: Place) -> None:
    as_parquet(place)[[]].to_parquet(place.site / "rna.parquet")


@fault("doctor", "Omics table rna must hold numbers, got text in `EGFR` ('low') (1 column).")
def parquet_of_categories(place: Place) -> None:
    table = as_parquet(place)
    table["EGFR"] = pd.Categorical(["low"] * len(table))
    table.to_parquet(place.site / "rna.parquet")


@fault(
    "doctor",
    "Omics table rna must hold finite numbers, got 1 empty or infinite value in EGFR,",
)
def parquet_of_missing_whole_numbers(place: Place) -> None:
    table = as_parquet(place)
    table["EGFR"] = pd.array([1, None] + [2] * (len(table) - 2), dtype="Int64")
    table.to_parquet(place.site / "rna.parquet")


@fault("doctor", "Omics table rna must hold numbers, got text in `EGFR` ('1.5') (1 column).")
def parquet_of_exact_decimals(place: Place) -> None:
    from decimal import Decimal

    table = as_parquet(place)
    table["EGFR"] = [Decimal("1.5")] * len(table)
    table.to_parquet(place.site / "rna.parquet")
