"""What the columns of a clinical table mean; a meaning that is not certain is asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fusion.errors import SiteError
from fusion.readers.findings import Findings, listed
from fusion.readers.site import TIME_UNITS, ClinicalTable
from fusion.readers.tables import ID_COLUMNS, SLIDE_COLUMNS, columns_named
from fusion.registry import nearest

TIME_COLUMNS: Mapping[str, str] = {
    f"{stem}_{unit}": unit for stem in ("time", "survival") for unit in TIME_UNITS
}
"""Names of the follow-up's column that are recognised, and their unit."""

STATUS_COLUMNS: Mapping[str, tuple[str, str]] = {"event": ("1", "0"), "censorship": ("0", "1")}
"""Names of the status column that are recognised: (value of an event, value of censoring)."""

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
        event_value: Status of an event.
        censored_value: Status of a censored patient.
    """

    patient: str
    slide: str | None
    time: str
    unit: str
    status: str
    event_value: str
    censored_value: str

    def sentences(self) -> tuple[str, ...]:
        """Return what the columns are taken to mean, a sentence each, for the screen.

        Source: own.
        """
        factor = TIME_UNITS[self.unit]
        turned = "" if factor == 1 else f", turned into days by {factor:g}"
        inverse = ""
        if self.status == "censorship" and self.event_value == "0":
            inverse = " (the inverse of an event: turned round here, once)"
        return (
            *_identity_sentences(self.patient, self.slide),
            f"`{self.time}` is follow-up in {self.unit}{turned}.",
            f"`{self.status}` {self.event_value} = event seen, {self.censored_value} = censored"
            f"{inverse}.",
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
    meanings = Meanings(patient, slide or None, *time, *status)
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
    """Return the meanings, unless one column has two."""
    roles = {name: getattr(meanings, name) for name in ("patient", "slide", "time", "status")}
    for role, column in roles.items():
        same = [other for other, name in roles.items() if name == column and other != role]
        if same and column:
            raise _asks(
                f"must have a column for each meaning, got `{column}` as {role} and {same[0]}",
                "Name another column for one of them under [clinical].",
            )
    return meanings


def _identity_sentences(patient: str, slide: str | None) -> tuple[str, ...]:
    named = f"`{slide}` is the slide, its features in the file of that name."
    return (f"`{patient}` is the patient.", *((named,) if slide else ()))


def _patient(names: tuple[str, ...], told: ClinicalTable) -> str:
    if told.patient:
        return _existing(told.patient, names, "patient")
    return _only(columns_named(names, ID_COLUMNS), ID_COLUMNS, names, "patient")


def _slide(names: tuple[str, ...], told: ClinicalTable) -> str:
    """Return the slide's column; empty when there is none."""
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


def _status(names: tuple[str, ...], told: ClinicalTable) -> tuple[str, str, str]:
    if told.event:
        name = _existing(told.event, names, "event")
    else:
        found = [name for name in names if name in STATUS_COLUMNS]
        similar = [name for name in names if name.lower() in _UNCERTAIN_STATUS]
        name = _only(found, STATUS_COLUMNS, similar or names, "event")
    if told.event_value:
        return name, told.event_value, told.censored_value
    if name not in STATUS_COLUMNS:
        raise _asks(
            f"must say what the values of `{name}` mean, got no event_value",
            "Write event_value = the status of a patient whose event was seen and censored_value "
            "= that of one whose was not, under [clinical].",
        )
    return name, *STATUS_COLUMNS[name]


def _only(found: list[str], known: Iterable[str], names: Iterable[str], role: str) -> str:
    """Return the one column found; ask when there is none or more than one."""
    if len(found) == 1:
        return found[0]
    if found:
        raise _asks(
            f"must have one column that is certainly the {role}, got {listed(found)}",
            f'Write {role} = "{found[0]}", or the other, under [clinical].',
        )
    raise _asks(
        f"must have a column that is certainly the {role} ({', '.join(known)}), "
        f"got {listed(names, 6)}",
        f'Write {role} = "...", the column that is it, under [clinical]'
        + (", with event_value and censored_value." if role == "event" else "."),
    )


def _existing(name: str, names: tuple[str, ...], role: str) -> str:
    if name not in names:
        raise _asks(
            f"must have the column `{name}` that site.toml names as the {role}, got none",
            nearest(name, names),
        )
    return name


def _asks(rule_and_value: str, remedy: str) -> SiteError:
    remedy = remedy.replace("under [clinical]", "under [clinical] in site.toml")
    return SiteError(
        f"Clinical table {rule_and_value}. {remedy}",
        public="The columns of the clinical table are not certain.",
    )
