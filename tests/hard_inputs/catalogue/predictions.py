"""Faults of a file of predictions."""

from tests.hard_inputs.faults import Place, fault


def lines(place: Place, change) -> None:
    text = place.predictions.read_text(encoding="utf-8").splitlines()
    place.predictions.write_text("\n".join(change(text)) + "\n", encoding="utf-8")


def first(place: Place, cells: str) -> None:
    lines(place, lambda text: [text[0], cells, *text[2:]])


@fault("metrics", "Predictions must be a file, got ")
def predictions_missing(place: Place) -> None:
    place.predictions.unlink()


@fault("metrics", "Predictions must be a file, got ")
def predictions_that_are_a_folder(place: Place) -> None:
    place.predictions.unlink()
    place.predictions.mkdir()


@fault("metrics", "Predictions must have a header row, got an empty file ")
def predictions_of_no_bytes(place: Place) -> None:
    place.predictions.write_bytes(b"")


@fault("metrics", "Predictions must have two patients or more, got 0 in ")
def predictions_with_a_header_alone(place: Place) -> None:
    lines(place, lambda text: text[:1])


@fault("metrics", "Predictions must have two patients or more, got 1 in ")
def predictions_of_one_patient(place: Place) -> None:
    lines(place, lambda text: text[:2])


@fault("metrics", "Predictions must have the columns risk, time and event, got no 'risk' in ")
def predictions_without_risk(place: Place) -> None:
    lines(place, lambda text: [text[0].replace("risk", "rsk"), *text[1:]])


@fault("metrics", "Predictions must have the columns risk, time and event, got no 'risk' in ")
def predictions_with_semicolons(place: Place) -> None:
    lines(place, lambda text: [line.replace(",", ";") for line in text])


@fault("metrics", "Predictions must be CSV, got ")
def predictions_in_latin_1(place: Place) -> None:
    place.predictions.write_bytes(place.predictions.read_bytes().replace(b",a,", b",\xe9,"))


@fault("metrics", "Predictions must be CSV, got a null byte in ")
def predictions_with_null_bytes(place: Place) -> None:
    place.predictions.write_bytes(place.predictions.read_bytes().replace(b",a,", b",\0a,"))


@fault("metrics", "Predictions must be CSV, got ")
def predictions_that_are_binary(place: Place) -> None:
    place.predictions.write_bytes(bytes(range(256)) * 8)


@fault("metrics", "Column risk must be a finite number in every row, got 1 other rows (line 2).")
def risk_in_words(place: Place) -> None:
    first(place, "high,100,1,a,0.9,0.8")


@fault("metrics", "Column risk must be a finite number in every row, got 1 other rows (line 2).")
def risk_infinite(place: Place) -> None:
    first(place, "inf,100,1,a,0.9,0.8")


@fault("metrics", "Column time must be >= 0 days in every row, got 1 other rows (line 2).")
def prediction_of_a_negative_time(place: Place) -> None:
    first(place, "1,-100,1,a,0.9,0.8")


@fault("metrics", "Column time of an event must be > 0 in every row, got 1 other rows (line 2).")
def prediction_of_an_event_on_day_zero(place: Place) -> None:
    first(place, "1,0,1,a,0.9,0.8")


@fault("metrics", "Column event must be 0 or 1 in every row, got 1 other rows (line 2).")
def prediction_of_an_event_of_two(place: Place) -> None:
    first(place, "1,100,2,a,0.9,0.8")


@fault("metrics", "Column site must name a site in every row, got 1 other rows (line 2).")
def prediction_of_no_site(place: Place) -> None:
    first(place, "1,100,1,,0.9,0.8")


@fault(
    "metrics", "Column survival_365 must be from 0 to 1 in every row, got 1 other rows (line 2)."
)
def survival_above_one(place: Place) -> None:
    first(place, "1,100,1,a,1.9,0.8")


@fault(
    "metrics",
    "Column survival_730 must not exceed earlier survival in every row, got 1 other",
)
def survival_that_rises(place: Place) -> None:
    first(place, "1,100,1,a,0.8,0.9")


@fault("metrics", "Survival columns must be called survival_<days>, got 'survival_year'.")
def survival_without_days(place: Place) -> None:
    lines(place, lambda text: [text[0].replace("survival_365", "survival_year"), *text[1:]])


@fault(
    "metrics",
    "Survival columns must each have a horizon of their own, got survival_365,",
)
def survival_twice_at_one_horizon(place: Place) -> None:
    lines(place, lambda text: [text[0].replace("survival_730", "survival_365.0"), *text[1:]])


@fault("metrics", "Predictions must name a column once, got risk twice in ")
def prediction_column_twice(place: Place) -> None:
    lines(place, lambda text: [text[0].replace("site", "risk"), *text[1:]])


@fault(
    "metrics", "Predictions must have a name for every column, got rows longer than the header in "
)
def prediction_row_with_a_cell_too_many(place: Place) -> None:
    first(place, "1,100,1,a,0.9,0.8,7")


@fault(
    "metrics", "Predictions must have a name for every column, got rows longer than the header in "
)
def prediction_rows_all_with_a_cell_too_many(place: Place) -> None:
    lines(place, lambda text: [text[0], *(line + ",7" for line in text[1:])])
