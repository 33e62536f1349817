import re

import pandas as pd
import pytest
from flwr.app import Message

from client.site import forget_sites
from fusion.readers.cohort import read_cohort
from privacy.releases import RELEASES


def words_of(message: Message) -> str:
    """Everything a message carries, as text: names, values, and arrays as raw bytes."""
    if message.has_error():
        return str(message.error.reason)
    parts = []
    for record in message.content.values():
        for name, value in record.items():
            raw = value.data if hasattr(value, "data") else str(value).encode()
            parts.append(name + ":" + raw.decode("latin-1"))
    return "\n".join(parts)


@pytest.fixture(scope="module")
def identifiers(hospitals):
    """Patients, slides and bag files of all sites."""
    found = set()
    for site in hospitals.iterdir():
        cohort = read_cohort(site)
        found |= set(cohort.patients)
        found |= {path.name for slides in cohort.slides for path in slides}
    return found


def test_only_listed_releases_cross(finished):
    for seen in finished.exchanges:
        for record, content in seen.reply.content.items():
            names = [record] if record in ("model", "control") else list(content)
            assert {name.partition(":")[0] for name in names} <= set(RELEASES)


def test_every_release_is_of_the_kind_that_the_list_says(finished):
    kinds = {"facts": "fact", "figures": ("figure", "sums"), "sums": ("sums", "figure")}
    for seen in finished.exchanges:
        for record in ("facts", "figures", "sums"):
            for name in seen.reply.content[record]:
                stem = name.partition(":")[0]
                number = record == "figures" and stem in ("steps", "budget", "noise")
                assert number or RELEASES[stem].kind in kinds[record]


def test_no_identifier_of_a_patient_or_slide_crosses(finished, identifiers):
    assert len(identifiers) > 100
    for seen in finished.exchanges:
        told = words_of(seen.reply)
        assert not [name for name in identifiers if name in told]
        assert not re.search(r"(lyon|porto|bergen)-\d{4}", told)


def test_no_path_of_a_site_crosses(finished, hospitals):
    for seen in finished.exchanges:
        assert str(hospitals) not in words_of(seen.reply)


def test_nothing_that_crosses_has_one_entry_a_patient(finished):
    """Train, validation and test of a site hold 10, 6 and 8 patients, all 24."""
    for seen in finished.exchanges:
        for name, array in seen.reply.content["sums"].items():
            if name not in ("scaling.omics", "scaling.slides"):
                assert not {10, 6, 24} & set(array.shape), name


def test_sums_of_inputs_cross_once_and_of_training_patients(finished):
    seen = [e for e in finished.exchanges if e.kind == "query.scaling"]
    for exchange in seen:
        assert exchange.reply.content["sums"]["scaling.omics"].numpy()[0].max() <= 10
    assert len(seen) == 3


def test_an_error_at_a_site_tells_no_name(tiny, lead, watching, own_hospitals, identifiers):
    path = own_hospitals / "lyon" / "clinical.csv"
    table = pd.read_csv(path)
    table.loc[0, "time_days"] = -3
    table.to_csv(path, index=False)
    forget_sites()
    run = lead(tiny({"rounds": 1}, sites=own_hospitals), watching())
    refusals = [e.reply for e in run.exchanges if e.reply.has_error()]
    assert refusals
    for reply in refusals:
        assert not [name for name in identifiers if name in reply.error.reason]
        assert "clinical.csv" not in reply.error.reason


def test_result_report_and_model_name_no_patient(finished, identifiers):
    for path in finished.folder.iterdir():
        text = path.read_bytes().decode("latin-1")
        assert not [name for name in identifiers if name in text], path.name
