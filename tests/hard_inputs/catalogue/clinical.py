"""Faults of the clinical table."""

from tests.hard_inputs.faults import Place, fault

TABLE = "clinical.csv"


@fault("doctor", "Clinical table must exist, got no file ")
def clinical_table_missing(place: Place) -> None:
    (place.site / TABLE).unlink()


@fault("doctor", "Clinical table must exist, got no file ")
def clinical_table_that_is_a_folder(place: Place) -> None:
    (place.site / TABLE).unlink()
    (place.site / TABLE).mkdir()


@fault("doctor", "Clinical table must exist, got no file ")
def clinical_table_in_a_loop_of_links(place: Place) -> None:
    (place.site / TABLE).unlink()
    (place.site / TABLE).symlink_to(TABLE)


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': ")
def clinical_table_of_no_bytes(place: Place) -> None:
    place.content(TABLE, lambda _: b"")


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': ")
def clinical_table_of_blank_lines(place: Place) -> None:
    place.content(TABLE, lambda _: b"\n\n\n")


@fault("doctor", "Clinical table must have at least one row, got none in 'clinical.csv'.")
def clinical_table_with_a_header_alone(place: Place) -> None:
    place.content(TABLE, lambda text: text.splitlines()[0] + b"\n")


@fault(
    "doctor",
    "Clinical table must have a column that is certainly the patient (patient,",
)
def clinical_table_without_a_header(place: Place) -> None:
    place.content(TABLE, lambda text: text.split(b"\n", 1)[1])


@fault("doctor", "Clinical table must be a .csv or .parquet file, got 'clinical.sav'.")
def clinical_table_of_a_statistics_program(place: Place) -> None:
    (place.site / TABLE).rename(place.site / "clinical.sav")
    place.replace("site.toml", "clinical.csv", "clinical.sav")


@fault("doctor", "Clinical table must be readable, got 'clinical.xlsx': ")
def csv_called_spreadsheet(place: Place) -> None:
    (place.site / TABLE).rename(place.site / "clinical.xlsx")
    place.replace("site.toml", "clinical.csv", "clinical.xlsx")


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': ")
def spreadsheet_called_csv(place: Place) -> None:
    place.content(TABLE, lambda _: b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00\xff\xfe\xfd")


@fault("doctor", "Clinical table must be readable, got 'clinical.parquet': ")
def csv_called_parquet(place: Place) -> None:
    (place.site / TABLE).rename(place.site / "clinical.parquet")
    place.replace("site.toml", "clinical.csv", "clinical.parquet")


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': ")
def clinical_table_in_latin_1(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"Zq-103", "Zq-é".encode("latin-1")))


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': ")
def clinical_table_in_utf_16(place: Place) -> None:
    place.content(TABLE, lambda text: text.decode().encode("utf-16"))


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': it holds a null byte.")
def clinical_table_with_null_bytes(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"Zq-103", b"Zq-\x00103"))


@fault(
    "doctor",
    "Clinical table must be readable, got 'clinical.csv': its columns are not",
)
def semicolons_between_columns(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b",", b";"))


@fault(
    "doctor",
    "Clinical table must be readable, got 'clinical.csv': its columns are not",
)
def tabs_between_columns(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b",", b"\t"))


@fault(
    "doctor",
    "Clinical table must be readable, got 'clinical.csv': its columns are not",
)
def bars_between_columns(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b",", b"|"))


@fault(
    "doctor",
    "Clinical table must be readable, got 'clinical.csv': its columns are not",
)
def semicolons_and_decimal_commas(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b",", b";").replace(b";150;", b";150,5;"))


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': ")
def row_with_a_cell_too_many(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"200,0,52", b"200,0,52,9"))


@fault("doctor", "Status must be 1 or 0, got '52'")
def row_with_a_cell_too_few(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"Zq-103,Zq-103-a.svs,", b"Zq-103,"))


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': ")
def quote_that_is_never_closed(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"Zq-103,", b'"Zq-103,'))


@fault(
    "doctor",
    "Patient must be a name of printable characters, got 'Zq-\\n103' in the clinical",
)
def line_break_inside_a_patient(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"Zq-103,", b'"Zq-\n103",'))


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': columns named twice: event.")
def column_twice(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"event,age", b"event,event"))


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': columns named twice: event.")
def columns_alike_but_for_blanks(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"event,age", b"event, event "))


@fault(
    "doctor",
    "Clinical table must have one column that is certainly the patient, got patient,",
)
def columns_alike_but_for_case(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"event,age", b"event,patient_id"))


@fault(
    "doctor",
    "Clinical table must have a column that is certainly the patient (patient,",
)
def no_patient_column(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"patient,", b"subject,"))


@fault(
    "doctor",
    "Clinical table must have a column that is certainly the event (event,",
)
def status_of_uncertain_meaning(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"event,age", b"vital_status,age"))


@fault(
    "doctor",
    "Clinical table must have one column that is certainly the event, got event,",
)
def event_and_censorship_both(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"event,age", b"event,censorship"))


@fault(
    "doctor",
    "Clinical table must have a column that is certainly the time (time_days,",
)
def time_without_a_unit(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"time_days", b"OS.time"))


@fault(
    "doctor",
    "Clinical table must have one column that is certainly the time, got time_days,",
)
def two_times(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"event,age", b"event,time_months"))
