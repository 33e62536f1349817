import numpy as np
import pytest

from fusion.errors import ConfigError
from simulations.coalition_table import read_coalitions


@pytest.fixture
def read(tmp_path):
    def one(text):
        path = tmp_path / "values.csv"
        path.write_text(text, encoding="utf-8")
        return read_coalitions(path)

    return one


def test_columns_come_in_bitmask_order_whatever_their_order_and_spelling(read):
    found = read("v(a+b),v( b ),patient,v(a),v()\n12,2,p1,1,0\n")
    # b stands first among the single columns, so it is bit 0
    assert found.modalities == ("b", "a")
    np.testing.assert_array_equal(found.values, [[0, 2, 1, 12]])
    assert found.ignored == ("patient",)
    assert (found.time, found.event, found.sites) == (None, None, None)


def test_outcomes_and_sites_are_read(read):
    found = read("v(),v(a),v(b),v(b+a),time,event,site\n0,1,2,3,5.5,1,02\n0,1,2,3,7,0,x\n")
    assert found.time.tolist() == [5.5, 7.0]
    assert found.event.tolist() == [True, False]
    assert found.sites == ("02", "x")


@pytest.mark.parametrize("number", [3, 5])
def test_names_are_free_and_up_to_five(read, number):
    names = ["clinical", "copy number (log2)", "überall", "time", "v(x)"][:number]
    coalitions = [
        "+".join(n for i, n in enumerate(names) if s >> i & 1) for s in range(1 << number)
    ]
    header = ",".join(f"v({c})" for c in reversed(coalitions))
    found = read(f"{header}\n{','.join(map(str, reversed(range(1 << number))))}\n")
    assert found.modalities == tuple(reversed(names))
    flipped = [int(f"{s:0{number}b}"[::-1], 2) for s in range(1 << number)]
    np.testing.assert_array_equal(found.values, [flipped])


FOUR = "v(),v(a),v(b),v(a+b)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Coalition values must have a header row, got an empty file"),
        (f"{FOUR}\n", "must have one patient or more, got 0"),
        ("v(),v(a),v(b)\n0,1,2\n", r"must have 4 columns, .* got none for v\(a\+b\)\. Add it"),
        ("v(a),v(b),v(a+b)\n0,1,2\n", r"got none for v\(\)\."),
        ("v(),v(a),v(b),v(c)\n0,1,2,3\n", r"v\(a\+b\), v\(a\+c\), v\(b\+c\) and 1 more\. Add"),
        (f"{FOUR},v(b+a)\n0,1,2,3,3\n", r"got 'v\(a\+b\)' and 'v\(b\+a\)', which are the same"),
        (f"{FOUR},v( a)\n0,1,2,3,3\n", r"got 'v\(a\)' and 'v\( a\)', which are the same"),
        (f"{FOUR},v(a)\n0,1,2,3,3\n", r"must name a column once, got v\(a\) twice"),
        (f"{FOUR},v(a+cnv)\n0,1,2,3,4\n", r"got no 'v\(cnv\)' beside 'v\(a\+cnv\)'"),
        ("v(),v(rna),v(b),v(rma+b)\n0,1,2,3\n", r"got no 'v\(rma\)' .* Did you mean 'rna'\?"),
        (f"{FOUR},v(a+a)\n0,1,2,3,4\n", r"name each of its modalities once, got 'v\(a\+a\)'"),
        (f"{FOUR},v(a+)\n0,1,2,3,4\n", r"name each of its modalities once, got 'v\(a\+\)'"),
        (f"{FOUR},V(a+b)\n0,1,2,3,4\n", r"must be called v\(\), .* got 'V\(a\+b\)'"),
        (f"{FOUR},v(a+b\n0,1,2,3,4\n", r"must be called v\(\), .* got 'v\(a\+b'"),
        ("risk,time,event\n1,2,1\n", r"must be of 2 to 5 modalities, got 0 columns v\(NAME\)\."),
        ("v();v(a);v(b);v(a+b)\n0;1;2;3\n", r"got 0 columns v\(NAME\)\. Write v\(\)"),
        ("v(),v(a)\n1,2\n", r"must be of 2 to 5 modalities, got 1 columns v\(NAME\): a\."),
        ("v(a),v(b),v(c),v(d),v(e),v(f)\n1,2,3,4,5,6\n", "2 to 5 modalities, got 6 columns"),
        (f"{FOUR}\n0,1,2,3\n0,1,,3\n", r"v\(b\) must be a finite .*1 other rows \(line 3\)"),
        (f"{FOUR}\n0,1,NaN,3\n", r"v\(b\) must be a finite number"),
        (f"{FOUR}\n0,1,2,inf\n", r"v\(a\+b\) must be a finite number"),
        (f"{FOUR}\n0,high,2,3\n", r"v\(a\) must be a finite number"),
        (f"{FOUR}\n0,1e31,2,3\n", r"v\(a\) must be below 1e30 in size"),
        (f"{FOUR},time,event\n0,1,2,3,-1,1\n", "time must be >= 0 days"),
        (f"{FOUR},time,event\n0,1,2,3,4,2\n", "event must be 0 or 1"),
        (f"{FOUR},site\n0,1,2,3,\n", "site must name a site"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(read, text, message):
    with pytest.raises(ConfigError, match=message):
        read(text)
