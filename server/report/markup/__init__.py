"""The page's templates, kept in modules because an app bundle carries no html files."""

from collections.abc import Mapping

from server.report.markup import (
    attacks,
    audit,
    audit_page,
    budget,
    card,
    classes,
    frame,
    macros,
    masking,
    page,
    ranking,
    sites,
    survival,
    technical,
    trace,
)

TEMPLATES: Mapping[str, str] = {
    "frame": frame.TEMPLATE,
    "fingerprints": frame.FINGERPRINTS,
    "page": page.TEMPLATE,
    "macros": macros.TEMPLATE,
    "card": card.TEMPLATE,
    "sites": sites.TEMPLATE,
    "budget": budget.TEMPLATE,
    "ranking": ranking.TEMPLATE,
    "survival": survival.TEMPLATE,
    "class_card": classes.CARD,
    "class_sites": classes.SITES,
    "class_figures": classes.FIGURES,
    "audit": audit.TEMPLATE,
    "masking": masking.TEMPLATE,
    "scales": masking.SCALES,
    "trace": trace.TEMPLATE,
    "audit_page": audit_page.TEMPLATE,
    "attacks": attacks.TEMPLATE,
    "technical": technical.TEMPLATE,
}
"""Jinja templates by name; `page` and `audit_page` are wholes."""
