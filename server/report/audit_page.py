"""The page of a re-audit: the audit's section alone, with what was audited where."""

from collections.abc import Mapping
from typing import Any

from server.report.alerts import alerts
from server.report.interaction import interaction
from server.report.page import environment
from server.report.style import STYLE
from server.schema import validate_audit


def render_audit(audit: Mapping[str, Any]) -> str:
    """Return the page of a re-audit as one html document, made as `page.render` makes a report.

    Args:
        audit: What audit.json holds.

    Returns:
        The page.

    Raises:
        ResultError: It is not a re-audit of this version.

    Privacy: shows the counts and sums that `audit` holds, and nothing else.

    Source: own.
    """
    validate_audit(audit)
    modalities = audit["model"]["modalities"]
    return environment().get_template("audit_page").render(
        result=audit, style=STYLE, alerts=alerts(audit["alerts"]), trace=None,
        interaction=interaction(audit["audit"], modalities),
    )  # fmt: skip
