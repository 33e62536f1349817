import pandas as pd
import pytest

from fusion.errors import SiteError
from fusion.readers.tables import patient_column, read_table


def read(path, text=True):
    return read_table(path, what="Clinical table", text=text)


def test_text_keeps_leading_zeros_and_the_word_na(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffsite, code\n02, NA\n", encoding="utf-8")
    assert read(tmp_path / "t.csv").to_dict("records") == [{"site": "02", "code": "NA"}]


def test_parquet_as_text_writes_whole_floats_without_a_point(tmp_path):
    frame = pd.DataFrame({"event": [1.0, 0.0], "time": [2.5, None], "flag": [True, False]})
    frame.to_parquet(tmp_path / "t.parquet")
    table = read(tmp_path / "t.parquet")
    assert table["event"].tolist() == ["1", "0"]
    assert table["time"].tolist() == ["2.5", ""]
    assert table["flag"].tolist() == ["True", "False"]


def test_parquet_index_of_patients_becomes_a_column(tmp_path):
    pd.DataFrame({"TP53": [1.0]}, index=pd.Index(["p1"], name="case_id")).to_parquet(
        tmp_path / "t.parquet"
    )
    table = read(tmp_path / "t.parquet", text=False)
    assert patient_column(table) == "case_id"
    assert table["TP53"].tolist() == [1.0]


def test_numbers_stay_numbers_and_identifiers_stay_text(tmp_path):
    (tmp_path / "t.csv").write_text("id,TP53\n007,1.5\n", encoding="utf-8")
    table = read(tmp_path / "t.csv", text=False)
    assert table.to_dict("records") == [{"id": "007", "TP53": 1.5}]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "must be readable"),
        ("a,b\n", "must have at least one row, got none in 't.csv'"),
        ("a,a\n1,2\n", "columns named twice: a"),
        ("a;b\n1;2\n", "not separated by commas"),
        ("a,b\n1,2,3\n", "must be readable"),
        ('a,b\n1,"2\n', "must be readable"),
    ],
)
def test_unusable_csv_is_an_error(tmp_path, text, match):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SiteError, match=match):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize(("name", "content"), [("t.csv", b"a,b\n\xff,1\n"), ("t.parquet", b"PAR1")])
def test_damaged_file_is_an_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SiteError, match="Clinical table must be readable"):
        read(tmp_path / name)


def test_missing_table_is_an_error(tmp_path):
    with pytest.raises(SiteError, match="Clinical table must exist, got no file"):
        read(tmp_path / "t.csv")


def test_table_of_another_kind_is_an_error(tmp_path):
    (tmp_path / "t.sav").write_bytes(b"")
    with pytest.raises(
        SiteError, match=r"must be a .csv or .parquet file, got 't.sav'. Save it as"
    ):
        read(tmp_path / "t.sav")


@pytest.mark.parametrize("name", ["t.tsv", "t.txt", "t.TAB"])
def test_tabs_separate_the_columns_of_such_a_file(tmp_path, name):
    (tmp_path / name).write_text("id\tnote\n01\tone, two\n", encoding="utf-8")
    assert read(tmp_path / name).to_dict("records") == [{"id": "01", "note": "one, two"}]


def test_tsv_with_commas_is_an_error(tmp_path):
    (tmp_path / "t.tsv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SiteError, match="its columns are not separated by tabs"):
        read(tmp_path / "t.tsv")


@pytest.mark.parametrize("text", [True, False])
def test_comments_before_the_header_are_left_out_and_later_ones_are_not(tmp_path, text):
    content = "#Patient\tSurvival\n#STRING\tNUMBER\nPATIENT_ID\tA\n007\t1\n#8\t2\n"
    (tmp_path / "t.txt").write_text(content, encoding="utf-8")
    table = read(tmp_path / "t.txt", text)
    assert table.to_dict("list") == {"PATIENT_ID": ["007", "#8"], "A": [*"12"] if text else [1, 2]}


def test_file_of_comments_alone_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_text("#a,b\n#c\n", encoding="utf-8")
    with pytest.raises(SiteError, match="must be readable"):
        read(tmp_path / "t.csv")


def workbook(path, **sheets):
    with pd.ExcelWriter(path) as writer:
        for name, rows in sheets.items():
            pd.DataFrame(rows).to_excel(writer, sheet_name=name, header=False, index=False)
    return path


ROWS = [["#made by", None, None], ["PATIENT", "DAYS", "x "], ["007", 12, 0.5], ["008", 3.0, None]]


def test_workbook_is_read_as_a_table(tmp_path):
    pytest.importorskip("openpyxl")
    table = read(workbook(tmp_path / "t.xlsx", one=ROWS))
    assert table.to_dict("list") == {
        "PATIENT": ["007", "008"], "DAYS": ["12", "3"], "x": ["0.5", ""]
    }  # fmt: skip
    numbers = read(tmp_path / "t.xlsx", text=False)
    assert [kind.kind for kind in numbers.dtypes] == ["O", "i", "f"]
    assert numbers["DAYS"].tolist() == [12, 3]


@pytest.mark.parametrize(
    ("sheets", "match"),
    [
        ({"a": ROWS, "b": ROWS}, r"got 't.xlsx': it has several sheets \(a, b\); keep one"),
        ({"a": []}, "its sheet is empty"),
        ({"a": [["x", "x"], [1, 2]]}, "columns named twice: x"),
        ({"a": [["x", "y"]]}, "must have at least one row"),
    ],
)
def test_unusable_workbook_is_an_error(tmp_path, sheets, match):
    pytest.importorskip("openpyxl")
    with pytest.raises(SiteError, match=match):
        read(workbook(tmp_path / "t.xlsx", **sheets))


@pytest.mark.parametrize("content", [b"", b"PK no zip"])
def test_file_that_is_no_workbook_is_an_error(tmp_path, content):
    pytest.importorskip("openpyxl")
    (tmp_path / "t.xlsx").write_bytes(content)
    with pytest.raises(SiteError, match="Clinical table must be readable, got"):
        read(tmp_path / "t.xlsx")


def test_workbook_without_openpyxl_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (tmp_path / "t.xlsx").write_bytes(b"")
    with pytest.raises(SiteError, match="need openpyxl, which is not installed; save it as csv"):
        read(tmp_path / "t.xlsx")


def test_parquet_with_a_column_twice_is_an_error(tmp_path):
    pd.DataFrame({"a ": [1], "a": [2]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(SiteError, match="columns named twice: a"):
        read(tmp_path / "t.parquet")
