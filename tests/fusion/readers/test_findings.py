import pytest

from fusion.errors import SiteError
from fusion.readers.findings import Findings, counted, listed


def test_first_problem_is_raised_with_a_count_of_the_others():
    findings = Findings()
    findings.warning("Odd.", "odd")
    findings.problem("A is wrong.", "a")
    findings.problem("B is wrong.", "b")
    with pytest.raises(SiteError, match=r"A is wrong. \(And 1 further problem: ") as caught:
        findings.raise_first()
    assert caught.value.public == "a"


def test_warnings_raise_nothing():
    findings = Findings()
    findings.warning("Odd.", "odd")
    findings.raise_first()
    assert not findings.fatal


def test_attempt_keeps_the_error_and_its_public_sentence():
    def fail():
        raise SiteError("whole", public="part")

    findings = Findings()
    assert findings.attempt(fail) is None
    assert findings.attempt(lambda: 3) == 3
    assert (findings.found[0].message, findings.found[0].public) == ("whole", "part")


def test_examples_are_three_then_a_count():
    assert listed("abc") == "a, b, c"
    assert listed("abcde") == "a, b, c and 2 more"


def test_nouns_take_a_plural():
    assert (counted(1, "row"), counted(1200, "row")) == ("1 row", "1,200 rows")
