import numpy as np
import pandas as pd
import pytest

from fusion.errors import SiteError
from fusion.readers.bags import BagReader
from fusion.readers.formats.parquet import EmbeddingTable, SlideRows
from fusion.seeding import generator
from tests.layouts import write_parquet

SLIDES = {
    name: np.arange(start, start + 3 * rows, dtype=np.float32).reshape(rows, 3)
    for name, start, rows in (("a", 0, 5), ("b", 100, 2), ("c", 200, 6))
}


def embeddings(tmp_path, frame, **how):
    frame.to_parquet(tmp_path / "e.parquet", index=False, **how)
    return EmbeddingTable(tmp_path / "e.parquet")


@pytest.mark.parametrize("kept", [0, 10**6])
@pytest.mark.parametrize("numbered", [False, True])
def test_every_row_is_read_whatever_the_columns_and_row_groups(tmp_path, numbered, kept):
    table = EmbeddingTable(write_parquet(tmp_path / "e.parquet", SLIDES, numbered=numbered), kept)
    assert (table.width, table.itemsize, table.patients) == (3, 4, {})
    for name, values in SLIDES.items():
        with SlideRows(table, name).open(3) as bag:
            np.testing.assert_array_equal(bag.all(), values)
            np.testing.assert_array_equal(bag.rows(np.array([1])), values[[1]])
            assert (len(bag), bag.size) == (len(values), values.nbytes)


def test_rows_of_one_slide_need_not_lie_together(tmp_path):
    frame = pd.DataFrame({"slide": list("abba"), "f": [[1.0], [2.0], [3.0], [4.0]]})
    table = embeddings(tmp_path, frame, row_group_size=2)
    with SlideRows(table, "a").open(1) as bag:
        assert bag.all().tolist() == [[1.0], [4.0]]


def test_large_file_is_read_by_the_row_groups_that_hold_the_slide(tmp_path, monkeypatch):
    table = EmbeddingTable(write_parquet(tmp_path / "e.parquet", SLIDES), 0)
    read = []
    monkeypatch.setattr(table, "_numbers", lambda batch: read.append(len(batch)) or _zeros(batch))
    with SlideRows(table, "b").open(3) as bag:  # rows 5 and 6, both in the second group of four
        bag.all()
    assert read == [4]


def _zeros(batch):
    return np.zeros((len(batch), 3), np.float32)


def test_one_row_a_patient_names_its_patients_itself(tmp_path):
    frame = pd.DataFrame({"PATIENT": ["p2", "p1"], "emb_1": [3.0, 1.0], "emb_0": [4.0, 2.0]})
    table = embeddings(tmp_path, frame)
    assert table.patients == {"p1": ("p1",), "p2": ("p2",)}
    with SlideRows(table, "p1").open(2) as bag:
        assert bag.all().tolist() == [[2.0, 1.0]]  # by number, not by place


def test_patients_of_slides_are_known(tmp_path):
    frame = pd.DataFrame(
        {"case_id": ["p", "p", "q"], "slide_id": ["b.svs", "a", "c"], "f": [[1.0, 2]] * 3}
    )
    assert embeddings(tmp_path, frame).patients == {"p": ("a", "b"), "q": ("c",)}


def test_half_precision_is_kept(tmp_path):
    frame = pd.DataFrame({"slide": ["a", "b"], "f0": np.array([1.5, 2.5], np.float16)})
    table = embeddings(tmp_path, frame)
    with SlideRows(table, "b").open(1) as bag:
        assert (bag.all().tolist(), bag.size) == ([[2.5]], 2)


def test_reader_draws_from_a_table_as_from_files(tmp_path):
    table = EmbeddingTable(write_parquet(tmp_path / "e.parquet", SLIDES))
    reader = BagReader(((SlideRows(table, "a"), SlideRows(table, "c")), ()), 3)
    assert [reader.patches(0), reader.patches(1)] == [11, 0]
    drawn = reader.sample(0, max_patches=4, generator=generator(3))
    both = np.concatenate([SLIDES["a"], SLIDES["c"]])
    assert all((row == both).all(axis=1).any() for row in drawn)
    assert reader.coordinates(0) == (None, None)


def test_what_the_file_takes_in_memory_is_said(tmp_path):
    path = write_parquet(tmp_path / "e.parquet", SLIDES)
    assert EmbeddingTable(path).told() == (
        "one file: 13 rows of 3 slides, 0.0 MiB, read once and kept in memory"
    )
    assert EmbeddingTable(path, 0).told().endswith("each slide read when it is needed")


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"name": ["a"], "f0": [1.0]}, "must name the slide or the patient of each row .slide, "),
        ({"slide": ["a"], "slide_id": ["a"], "f0": [1.0]}, "one column of the slide, got slide, "),
        ({"slide": ["a"], "age": [1.0]}, "in a column of lists, or .* such as f0, f1, got slide"),
        ({"slide": ["a"], "f0": [1]}, "in a column of lists, or"),
        ({"slide": ["a"], "f0": [1.0], "g0": [1.0]}, "one set of numbered columns, got f0, g0"),
        ({"slide": ["a"], "f": [[1.0]], "g": [[1.0]]}, "one column of lists, got f, g in 'e.par"),
        ({"slide": ["a"], "f": [[1, 2]]}, "floating-point numbers in `f`, got int64"),
        ({"slide": ["a", None], "f0": [1.0, 2.0]}, "the slide of each row, got 1 empty name in"),
        (
            {"slide": ["a", "a"], "patient": ["p", "q"], "f0": [1.0, 2.0]},
            "Slide must belong to one patient, got several at a in 'e.parquet'",
        ),
    ],
)
def test_columns_that_are_not_certain_are_asked_for(tmp_path, columns, match):
    with pytest.raises(SiteError, match=match) as caught:
        embeddings(tmp_path, pd.DataFrame(columns))
    assert "parquet" not in caught.value.public


@pytest.mark.parametrize(
    ("lists", "match"),
    [
        ([[1.0, 2.0], [1.0]], "must have width 2, as the first row, got 1 in 'e.parquet'"),
        ([[1.0, 2.0], None], "must have width 2, as the first row, got None in 'e.parquet'"),
        ([[1.0, 2.0], [1.0, None]], "must be finite, got NaN or infinity in 'e.parquet'"),
    ],
)
def test_rows_that_do_not_fit_are_an_error(tmp_path, lists, match):
    table = embeddings(tmp_path, pd.DataFrame({"slide": ["a", "a"], "f": lists}))
    with SlideRows(table, "a").open(None) as bag, pytest.raises(SiteError, match=match):
        bag.all()


def test_other_width_than_the_sites_is_an_error(tmp_path):
    table = EmbeddingTable(write_parquet(tmp_path / "e.parquet", SLIDES))
    with pytest.raises(SiteError, match=r"must have width 4, got 3 in 'e.parquet'"):
        SlideRows(table, "a").open(4)


@pytest.mark.parametrize("content", [b"", b"PAR1 no PAR1"])
def test_file_that_is_no_parquet_is_an_error(tmp_path, content):
    (tmp_path / "e.parquet").write_bytes(content)
    with pytest.raises(SiteError, match=r"must be a whole parquet file, got 'e.parquet' \("):
        EmbeddingTable(tmp_path / "e.parquet")


def test_file_damaged_behind_its_header_is_an_error(tmp_path):
    path = write_parquet(tmp_path / "e.parquet", SLIDES, numbered=True)
    content = bytearray(path.read_bytes())
    content[4:-1500] = bytes(len(content) - 1504)
    path.write_bytes(bytes(content))
    with (
        pytest.raises(SiteError, match="whole parquet"),
        SlideRows(EmbeddingTable(path), "a").open(3) as bag,
    ):
        bag.all()


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(SiteError, match="File of features must exist, got no file"):
        EmbeddingTable(tmp_path / "e.parquet")
