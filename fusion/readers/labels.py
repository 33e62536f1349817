"""A label of the clinical table: which class each patient is of, as the site says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped

from fusion.errors import SiteError
from fusion.readers.cohort import Cohort
from fusion.readers.findings import listed
from fusion.readers.site import LabelRule
from fusion.readers.tables import NOT_KNOWN
from fusion.registry import nearest


@dataclass(frozen=True, eq=False)
class Label:
    """Each patient's class.

    Attributes:
        words: Name of the class; empty = the patient has no label, and takes no part.
        classes: Names of the classes there are, or may be, in order.

    Privacy: one word a patient; stays at the site.

    Source: own.
    """

    words: Shaped[np.ndarray, " patient"]
    classes: tuple[str, ...]

    def places(self, classes: Sequence[str]) -> Int64[np.ndarray, " patient"]:
        """Return each patient's place among the federation's classes; -1 = none."""
        known = {name: place for place, name in enumerate(classes)}
        return np.array([known.get(str(word), -1) for word in self.words], np.int64)


def read_label(cohort: Cohort, name: str, classes: Sequence[str] = ()) -> Label:
    """Return the label `name` of a site's patients.

    A section `[labels.<name>]` of site.toml says which column it is and which of its values make a
    class; without one it is the clinical column of that name, each value a class of its own.

    Args:
        cohort: The site's patients.
        name: Of the label.
        classes: Those asked for; patients of others have no label. None = all there are.

    Raises:
        SiteError: The site has neither such a section nor such a column.

    Privacy: reads one value a patient.

    Source: own.
    """
    rule = cohort.labels.get(name, LabelRule(name))
    if rule.column not in cohort.clinical.columns:
        raise _absent(cohort, name, rule)
    written = [_spelled(str(value)) for value in cohort.clinical[rule.column]]
    of_value = {_spelled(value): word for word, told in rule.classes.items() for value in told}
    words = [
        "" if value.lower() in NOT_KNOWN else of_value.get(value, "" if of_value else value)
        for value in written
    ]
    wanted = tuple(classes) or tuple(sorted({*words} - {""}))
    kept = np.array([word if word in wanted else "" for word in words], np.str_)
    return Label(kept, wanted)


def _spelled(value: str) -> str:
    """Return a value in one spelling: 2 and 2.0 are the same."""
    try:
        return f"{float(value):.12g}"
    except ValueError:
        return value.strip()


def _absent(cohort: Cohort, name: str, rule: LabelRule) -> SiteError:
    columns = list(cohort.clinical.columns)
    if name in cohort.labels:
        what = f"Column of label '{name}' must be in the clinical table, got '{rule.column}'"
        mend = f"Mend column under [labels.{name}] in site.toml."
    else:
        what = f"Label '{name}' must be a clinical column or a section [labels.{name}], got neither"
        mend = "Write the section in site.toml with the column it follows from, one of "
        mend += f"{listed(columns)}." if columns else "those of the clinical table."
    return SiteError(
        f"{what} at site '{cohort.name}'. {nearest(rule.column, columns)} {mend}",
        public=f"The site has no label '{name}'.",
    )
