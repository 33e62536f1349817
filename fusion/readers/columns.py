"""What the columns of a clinical table mean; a meaning that is not certain is asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fusion.errors import SiteError
from fusion.readers.findings import Findings, listed
from fusion.readers.site import TIME_UNITS, ClinicalTable, SlideTable
from fusion.readers.tables import ID_COLUMNS, SLIDE_COLUMNS, columns_named
from fusion.registry import nearest

TIME_COLUMNS: Mapping[str, str] = {
    f"{stem}_{unit}": unit for stem in ("time", "survival") for unit in TIME_UNITS
}
"""Names of the follow-up's column that are recognised, and their unit."""

STATUS_COLUMNS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "event": (("1",), ("0",)),
    "censorship": (("0",), ("1",)),
}
"""Names of the status column that are recognised: (values of an event, values of censoring)."""

_UNCERTAIN_STATUS = frozenset(
    {"status", "vital_status", "survival_status", "os", "os_status", "os_event", "os.event", "dss",
     "pfi", "dfi", "pfs", "pfs_event", "dead", "death", "died", "deceased", "alive", "censor",
     "censored", "outcome", "fustat"}
)  # fmt: skip
_UNCERTAIN_TIME = frozenset(
    {"time", "os.time", "os_time", "survival", "survival_time", "duration", "followup",
     "follow_up", "futime", "t", "days_to_death", "days_to_last_follow_up", "os_months", "os_days",
     "pfs_months"}
)  # fmt: skip


@dataclass(frozen=True)
class Identities:
    """Which columns say whom a row is about, where nobody asks how the patients fared.

    Attributes:
        patient: Column of the patient.
        slide: Column of the slide; None = there is none.
        outcomes: Columns of the follow-up and the status; they are not looked at.
    """

    patient: str
    slide: str | None
    outcomes: tuple[str, ...]

    def sentences(self) -> tuple[str, ...]:
        """Return what the columns are taken to mean, a sentence each, for the screen.

        Source: own.
        """
        unread = tuple(f"`{name}` is an outcome: not read." for name in self.outcomes)
        return _identity_sentences(self.patient, self.slide) + unread


@dataclass(frozen=True)
class Meanings:
    """Which column is what.

    Attributes:
        patient: Column of the patient.
        slide: Column of the slide; None = there is none.
        time: Column of the follow-up.
        unit: Its unit.
        status: Column of the status.
        event_values: Statuses of an event.
        censored_values: Statuses of a censored patient.
    """

    patient: str
    slide: str | None
    time: str
    unit: str
    status: str
    event_values: tuple[str, ...]
    censored_values: tuple[str, ...]

    def sentences(self) -> tuple[str, ...]:
        """Return what the columns are taken to mean, a sentence each, for the screen.

        Source: own.
        """
        factor = TIME_UNITS[self.unit]
        turned = "" if factor == 1 else f", turned into days by {factor:g}"
        inverse = ""
        if self.status == "censorship" and self.event_values == ("0",):
            inverse = " (the inverse of an event: turned round here, once)"
        return (
            *_identity_sentences(self.patient, self.slide),
            f"`{self.time}` is follow-up in {self.unit}{turned}.",
            f"`{self.status}` {' or '.join(self.event_values)} = event seen, "
            f"{' or '.join(self.censored_values)} = censored{inverse}.",
        )


def column_meanings(
    columns: Iterable[str], told: ClinicalTable, findings: Findings
) -> Meanings | None:
    """Return what the columns mean by what the site says, else by their recognised names.

    Args:
        columns: Column names of the clinical table.
        told: What `site.toml` says.
        findings: Takes a problem for each meaning that is missing or not certain.

    Returns:
        The meanings, or None when at least one cannot be had.

    Source: own.
    """
    names = tuple(columns)
    patient = findings.attempt(lambda: _patient(names, told))
    slide = findings.attempt(lambda: _slide(names, told))
    time = findings.attempt(lambda: _time(names, told))
    status = findings.attempt(lambda: _status(names, told))
    if patient is None or slide is None or time is None or status is None:
        return None
    (name, unit), (event, seen, censored) = time, status
    meanings = Meanings(patient, slide or None, name, unit, event, seen, censored)
    return findings.attempt(lambda: _distinct(meanings))


def identity_columns(
    columns: Iterable[str], told: ClinicalTable, findings: Findings
) -> Identities | None:
    """Return which columns are the patient and the slide; outcomes may be there or not.

    Args:
        columns: Column names of the clinical table.
        told: What `site.toml` says.
        findings: Takes a problem for each meaning that is missing or not certain.

    Returns:
        The columns, or None when the patient or the slide is not certain. Columns of an outcome
        are those that `site.toml` names, else all recognised ones.

    Source: own.
    """
    names = tuple(columns)
    patient = findings.attempt(lambda: _patient(names, told))
    slide = findings.attempt(lambda: _slide(names, told))
    if patient is None or slide is None:
        return None
    times = (told.time,) if told.time else tuple(TIME_COLUMNS)
    statuses = (told.event,) if told.event else tuple(STATUS_COLUMNS)
    outcomes = tuple(name for name in names if name in times + statuses)
    return Identities(patient, slide or None, outcomes)


def _distinct(meanings: Meanings) -> Meanings:
    """Return the meanings, unless one column has two; a file may be named after its patient."""
    roles = {name: getattr(meanings, name) for name in ("patient", "slide", "time", "status")}
    for role, column in roles.items():
        same = [other for other, name in roles.items() if name == column and other != role]
        if same and column and {role, *same} != {"patient", "slide"}:
            raise _asks(
                f"must have a column for each meaning, got `{column}` as {role} and {same[0]}",
                "Name another column for one of them under [clinical].",
            )
    return meanings


def _identity_sentences(patient: str, slide: str | None) -> tuple[str, ...]:
    """Return what the patient's and the slide's column are taken to mean."""
    named = f"`{slide}` is the slide, its features in the file of that name."
    return (f"`{patient}` is the patient.", *((named,) if slide else ()))


def outcome_columns(told: ClinicalTable) -> frozenset[str]:
    """Return the names that are certainly an outcome, wherever they stand.

    Source: own.
    """
    return frozenset({*TIME_COLUMNS, *STATUS_COLUMNS, told.time, told.event} - {""})


def slide_table_columns(
    columns: Iterable[str], told: SlideTable, findings: Findings
) -> Identities | None:
    """Return which columns of a slide table are the patient and the slide.

    Args:
        columns: Column names of the slide table.
        told: What `site.toml` says.
        findings: Takes a problem for each meaning that is missing or not certain.

    Source: own.
    """
    names = tuple(columns)
    patient = findings.attempt(lambda: _patient(names, told, "slides"))
    slide = findings.attempt(lambda: _slide_of_row(names, told))
    return None if patient is None or slide is None else Identities(patient, slide, ())


def _patient(
    names: tuple[str, ...], told: ClinicalTable | SlideTable, section: str = "clinical"
) -> str:
    if told.patient:
        return _existing(told.patient, names, "patient", section)
    return _only(columns_named(names, ID_COLUMNS), ID_COLUMNS, names, "patient", section)


def _slide_of_row(names: tuple[str, ...], told: SlideTable) -> str:
    if told.slide:
        return _existing(told.slide, names, "slide", "slides")
    known = (*SLIDE_COLUMNS, "filename")
    return _only(columns_named(names, known), known, names, "slide", "slides")


def _slide(names: tuple[str, ...], told: ClinicalTable) -> str:
    """Return the slide's column; empty when there is none, or a table of its own names slides."""
    if told.slides is not None:
        return ""
    if told.slide:
        return _existing(told.slide, names, "slide")
    found = columns_named(names, SLIDE_COLUMNS)
    return _only(found, SLIDE_COLUMNS, names, "slide") if found else ""


def _time(names: tuple[str, ...], told: ClinicalTable) -> tuple[str, str]:
    if told.time:
        name = _existing(told.time, names, "time")
    else:
        found = [name for name in names if name in TIME_COLUMNS]
        similar = [name for name in names if name.lower() in _UNCERTAIN_TIME]
        name = _only(found, TIME_COLUMNS, similar or names, "time")
    unit = told.time_unit or TIME_COLUMNS.get(name, "")
    if not unit:
        raise _asks(
            f"must have a unit for its time `{name}`, got none",
            'Write time_unit = "days", "months" or "years" under [clinical].',
        )
    return name, unit


def _status(
    names: tuple[str, ...], told: ClinicalTable
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    if told.event:
        name = _existing(told.event, names, "event")
    else:
        found = [name for name in names if name in STATUS_COLUMNS]
        similar = [name for name in names if name.lower() in _UNCERTAIN_STATUS]
        name = _only(found, STATUS_COLUMNS, similar or names, "event")
    if told.event_values:
        return name, told.event_values, told.censored_values
    if name not in STATUS_COLUMNS:
        raise _asks(
            f"must say what the values of `{name}` mean, got no event_value",
            "Write event_value = the status of a patient whose event was seen and censored_value "
            "= that of one whose was not, under [clinical].",
        )
    return name, *STATUS_COLUMNS[name]


def _only(
    found: list[str],
    known: Iterable[str],
    names: Iterable[str],
    role: str,
    section: str = "clinical",
) -> str:
    """Return the one column found; ask when there is none or more than one."""
    if len(found) == 1:
        return found[0]
    if found:
        raise _asks(
            f"must have one column that is certainly the {role}, got {listed(found)}",
            f'Write {role} = "{found[0]}", or the other, under [clinical].',
            section,
        )
    raise _asks(
        f"must have a column that is certainly the {role} ({', '.join(known)}), "
        f"got {listed(names, 6)}",
        f'Write {role} = "...", the column that is it, under [clinical]'
        + (", with event_value and censored_value." if role == "event" else "."),
        section,
    )


def _existing(name: str, names: tuple[str, ...], role: str, section: str = "clinical") -> str:
    if name not in names:
        raise _asks(
            f"must have the column `{name}` that site.toml names as the {role}, got none",
            nearest(name, names),
            section,
        )
    return name


def _asks(rule_and_value: str, remedy: str, section: str = "clinical") -> SiteError:
    table = {"clinical": "Clinical table", "slides": "Slide table"}[section]
    return SiteError(
        f"{table} {rule_and_value}. {remedy.replace('[clinical]', f'[{section}] in site.toml')}",
        public=f"The columns of the {table.lower()} are not certain.",
    )
