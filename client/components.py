"""Sums of products at one site, for principal components of all sites' patients."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from client.consent import read_consent
from client.describe import aligned
from client.replies import Answer
from client.settings import Settings
from client.site import Site, open_site
from fusion.readers.components import mean_patches, product_sums, table_rows
from fusion.readers.scaling import Scaling


def multiply(settings: Settings, words: Mapping[str, Any]) -> Answer:
    """Return the sums behind the covariance of each table that components are asked of.

    Args:
        settings: Of this message.
        words: `components` (names of tables, or `slides`), the `scaling` of all sites as JSON, and
            `tables`, `clinical` columns and `features` as for scaling.

    Returns:
        Sums for each table that three training patients or more have.

    Privacy: sums over training patients only.

    Source: own.
    """
    consent = read_consent(settings)
    consent.require("components", "Leave data.components empty.")
    site, scaling = open_site(settings), Scaling.from_dict(json.loads(words["scaling"]))
    found = {
        f"components:{name}": product_sums(_rows(site, scaling, name, words))
        for name in words["components"]
    }
    told = {key: sums.to_array() for key, sums in found.items() if sums is not None}
    return Answer(facts=consent.exact("components"), sums=told)


def _rows(site: Site, scaling: Scaling, name: str, words: Mapping[str, Any]) -> np.ndarray:
    """Return the standardised training patients who have one table, or slides."""
    training = site.rows("train")
    if name == "slides":
        means = mean_patches(site.bags, patients=training, width=len(scaling.slide_mean))
        return scaling.transform_patches(means)
    return table_rows(aligned(site.cohort, words), scaling, table=name, patients=training)
