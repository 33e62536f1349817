"""What runs in place of Flower's `flwr-clientapp`: nothing of a bundle until it is approved.

A bundle brings its own copy of our packages, which wins over the installed one, so no check inside
the ClientApp binds a coordinator. This program is the installed one: Flower hands it the bundle's
bytes, and it unpacks them only if a person at the site has approved exactly these.
"""

import os
import sys
from pathlib import Path
from typing import Any

from client.approval import check_approved
from client.bundles import OURS
from client.settings import STATE
from client.site_log import FILE, SiteLog
from privacy.errors import PrivacyError

SITE = "CONCORD_SITE"
"""Environment variable that names the site's folder; `concord-site start` sets it."""

KEPT = "CONCORD_STATE"
"""Likewise its state folder."""


def main() -> None:
    """Run one task of a SuperNode."""
    from flwr.supernode.cli.flwr_clientapp import flwr_clientapp
    from flwr.supernode.runtime import run_clientapp as flower

    install = flower.install_from_fab

    def install_approved(bundle: bytes, *arguments: Any, **options: Any) -> Path:
        _check(bundle)
        installed = install(bundle, *arguments, **options)
        _forget_ours()
        return installed

    # Flower offers no hook between the arrival of a bundle and its installation. If a later
    # version installs otherwise, this fails by name, before anything of a bundle has run.
    flower.install_from_fab = install_approved  # type: ignore[assignment]
    flwr_clientapp()


def _check(bundle: bytes) -> None:
    """Raise unless the bundle is approved; a refusal is in the site's log."""
    site = Path(os.environ[SITE])
    try:
        check_approved(bundle, site)
    except PrivacyError as error:
        log = SiteLog(Path(os.environ.get(KEPT, site / STATE)) / FILE)
        log.append("refused", question="bundle", bytes=0, reason=error.public)
        raise


def _forget_ours() -> None:
    """Let the approved bundle's modules be imported, not the installed ones of the same names."""
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]


if __name__ == "__main__":
    main()
