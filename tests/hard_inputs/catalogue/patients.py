"""Faults of the rows of a clinical table."""

from tests.hard_inputs.faults import Place, fault

TABLE = "clinical.csv"


def cell(name: str, column: str, value: str, says: str) -> None:
    """Put one wrong cell of the third row into the catalogue."""

    def spoil(place: Place) -> None:
        place.cell(TABLE, column, value)

    spoil.__name__ = name
    fault("doctor", says)(spoil)


cell("negative_time", "time_days", "-5", "Time must be >= 0, got '-5'")
cell("time_not_known", "time_days", "", "Time must be a finite number, got ''")
cell("time_nan", "time_days", "NaN", "Time must be a finite number, got 'NaN'")
cell("time_infinite", "time_days", "inf", "Time must be a finite number, got 'inf'")
cell("time_beyond_all_numbers", "time_days", "1e400", "Time must be a finite number, got '1e400'")
cell(
    "time_that_is_a_date",
    "time_days",
    "2021-03-04",
    "Time must be a finite number, got '2021-03-04'",
)
cell(
    "time_with_thousands_separators",
    "time_days",
    "1,200",
    "Time must be a finite number, got '1,200'",
)
cell("time_with_its_unit", "time_days", "200 days", "Time must be a finite number, got '200 days'")
cell("time_with_a_decimal_comma", "time_days", "200,5", "Time must be a finite number, got '200,5'")
cell("event_of_two", "event", "2", "Status must be 1 or 0, got '2'")
cell("event_in_words", "event", "deceased", "Status must be 1 or 0, got 'deceased'")
cell("event_not_known", "event", "", "Status must be 1 or 0, got ''")
cell("event_of_a_half", "event", "0.5", "Status must be 1 or 0, got '0.5'")
cell("patient_not_named", "patient", "", "Patient must not be empty, got row 4")
cell("patient_of_blanks", "patient", "   ", "Patient must not be empty, got row 4")
cell("patient_called_not_available", "patient", "NA", "Patient must not be empty, got row 4 (NA)")
cell(
    "slide_of_two_patients",
    "slide",
    "Zq-104-a.svs",
    "Slide must belong to one patient, got Zq-104-a.svs",
)
cell(
    "slide_with_a_path",
    "slide",
    "../porto/Zq-103-a.svs",
    "Slide must be a name without folders, got ../porto/Zq-103-a.svs",
)


@fault(
    "doctor",
    "Time must be > 0 where the event was seen, got '0' at Zq-102 in the clinical",
)
def event_on_day_zero(place: Place) -> None:
    place.rows(TABLE, lambda rows: rows[1].update(time_days="0", event="1"))


@fault("doctor", "Follow-up reaches 450 years. Check time_unit in site.toml.", warns=True)
def follow_up_longer_than_a_life(place: Place) -> None:
    place.replace("site.toml", "[clinical]", '[clinical]\ntime = "time_days"\ntime_unit = "years"')


@fault("doctor", "Follow-up reaches 375 years. Check time_unit in site.toml.", warns=True)
def days_called_months(place: Place) -> None:
    place.content(
        TABLE, lambda text: text.replace(b"time_days", b"time_months").replace(b",450,", b",4500,")
    )


@fault(
    "doctor",
    "Follow-up ends after 15 days: are these months, or years? If so, write time and",
    warns=True,
)
def months_called_days(place: Place) -> None:
    place.rows(
        TABLE,
        lambda rows: (
            [row.update(time_days=str(int(row["time_days"]) / 30.4375)) for row in rows] and None
        ),
    )


@fault(
    "doctor",
    "Patient must have one row, or one row a slide, got a second row at Zq-103",
)
def row_twice(place: Place) -> None:
    place.rows(TABLE, lambda rows: [*rows, rows[2]])


@fault(
    "doctor",
    "Patient must have one outcome, got several at Zq-108 (1 patient) in the clinical",
)
def one_patient_with_two_times(place: Place) -> None:
    place.cell(TABLE, "time_days", "999", row=-1)


@fault(
    "doctor",
    "Patient must have one outcome, got several at Zq-108 (1 patient) in the clinical",
)
def one_patient_with_two_statuses(place: Place) -> None:
    place.cell(TABLE, "event", "0", row=-1)


@fault(
    "doctor",
    "Patient must have one row, or one row a slide, got a second row at Zq-103",
)
def slide_under_two_suffixes(place: Place) -> None:
    place.rows(TABLE, lambda rows: [*rows, {**rows[2], "slide": "Zq-103-a.tif"}])


@fault("doctor", "Clinical table must be readable, got 'clinical.csv': it holds a null byte.")
def slide_with_a_null(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"Zq-103-a.svs", b"Zq-103-\x00.svs"))


@fault(
    "doctor",
    "Patient must have one row, or one row a slide, got a second row at Zq-108 in the",
)
def slides_without_a_column(place: Place) -> None:
    place.content(TABLE, lambda text: text.replace(b"slide,", b"image,"))


@fault("doctor", "Site 'lyon' must have at least 2 patients, got 1.")
def one_patient(place: Place) -> None:
    place.rows(TABLE, lambda rows: rows[2:3])


@fault(
    "doctor",
    "Site 'lyon' has no event: its own model learns nothing, its counts still enter",
    warns=True,
)
def no_event(place: Place) -> None:
    place.rows(TABLE, lambda rows: [{**row, "event": "0"} for row in rows])


@fault(
    "doctor",
    "Split must be train, validation or test, got 'tset' at Zq-101, 'tset' at Zq-102,",
)
def split_of_an_unknown_word(place: Place) -> None:
    place.rows(TABLE, lambda rows: [{**row, "split": "tset"} for row in rows])


@fault("doctor", "Patient must lie in one split, got several at Zq-108 in the clinical table.")
def patient_in_two_splits(place: Place) -> None:
    place.rows(
        TABLE,
        lambda rows: [
            {**row, "split": "test" if n == 8 else "train"} for n, row in enumerate(rows)
        ],
    )


@fault(
    "doctor",
    "Split must be train, validation or test, got '' at Zq-101 in the clinical table",
)
def split_for_some_patients_only(place: Place) -> None:
    place.rows(
        TABLE, lambda rows: [{**row, "split": "train" if n else ""} for n, row in enumerate(rows)]
    )
