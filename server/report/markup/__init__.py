"""The page's templates, kept in modules because an app bundle carries no html files."""

from collections.abc import Mapping

from server.report.markup import (
    audit,
    card,
    macros,
    masking,
    page,
    ranking,
    sites,
    survival,
    technical,
)

TEMPLATES: Mapping[str, str] = {
    "page": page.TEMPLATE,
    "macros": macros.TEMPLATE,
    "card": card.TEMPLATE,
    "sites": sites.TEMPLATE,
    "ranking": ranking.TEMPLATE,
    "survival": survival.TEMPLATE,
    "audit": audit.TEMPLATE,
    "masking": masking.TEMPLATE,
    "scales": masking.SCALES,
    "technical": technical.TEMPLATE,
}
"""Jinja templates by name; `page` is the whole."""
