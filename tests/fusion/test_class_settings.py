import pytest

from fusion.config import from_flat
from fusion.errors import ConfigError

RUN = {"objective.name": "classification", "objective.label": "grade"}
NAMED = {**RUN, "objective.classes": "low,high"}


def test_a_label_is_enough():
    assert from_flat(RUN).objective.label == "grade"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({**RUN, "objective.label": " "}, "objective.label must name a label for objective"),
        ({**RUN, "objective.classes": "low"}, "must be two or more different names, got 'low'"),
        ({**RUN, "objective.classes": "a,a"}, "must be two or more different names, got 'a,a'"),
        ({**NAMED, "federation.weighting": "events"}, "must be patients for objective"),
        ({**RUN, "privacy.mode": "record-level", "data.scaling": "none.json"},
         "objective.classes must be written with privacy.mode = record-level"),
        ({**NAMED, "privacy.secure-aggregation": True},
         "privacy.secure-aggregation must be false for objective 'classification'"),
        ({**NAMED, "audit.scales": "survival"}, "audit.scales must be probability or empty"),
        ({"objective.label": "grade"}, "must be empty for objective 'discrete-time', got 'grade'"),
        ({"objective.classes": "a,b"}, "must be empty for objective 'discrete-time', got 'a,b'"),
        ({"audit.scales": "probability"}, "audit.scales must not name probability for objective"),
        ({**RUN, "objective.class-weights": "balance"}, "must be one of balanced, none"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        from_flat(changes)
