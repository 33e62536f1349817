import pytest

from fusion.errors import ConfigError
from fusion.readers.signatures import (
    COME_ALONG,
    LARGEST_FILE,
    group_features,
    included_signature,
    read_signature,
)

FEATURES = ("rna:TP53", "rna:EGFR", "rna:CD8A", "mutation:TP53", "clinical:age")


@pytest.fixture
def table(tmp_path):
    def table(text):
        path = tmp_path / "groups.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return table


def test_groups_come_in_the_order_of_the_file(table):
    path = table("\ufeffGroup,note,Gene\ntme,x,CD8A\ntumour,,TP53\n\ntme,,CD4\ntme,,CD8A\n")
    assert read_signature(path) == {"tme": ("CD8A", "CD4"), "tumour": ("TP53",)}


def test_a_gene_stands_for_itself_in_every_table():
    found = group_features({"a": ("TP53",), "b": ("rna:EGFR", "age")}, FEATURES, ungrouped=False)
    assert found == {"a": ("rna:TP53", "mutation:TP53"), "b": ("rna:EGFR", "clinical:age")}


def test_genes_in_no_group_make_one_of_their_own_if_asked():
    found = group_features({"a": ("TP53",)}, FEATURES, ungrouped=True)
    assert found["other"] == ("rna:EGFR", "rna:CD8A", "clinical:age")
    assert "other" not in group_features({"a": ("TP53",)}, FEATURES[:1], ungrouped=True)


def test_a_group_without_a_gene_of_the_federation_is_left_out():
    assert list(group_features({"a": ("XYZ",), "b": ("CD8A",)}, FEATURES, ungrouped=False)) == ["b"]


def test_no_gene_at_all_is_refused():
    with pytest.raises(
        ConfigError, match=r"got none of 2, such as 'X', among 5 features.*rna:TP53"
    ):
        group_features({"a": ("X", "Y")}, FEATURES, ungrouped=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "one column `gene`, got none"),
        ("gen,group\nA,b\n", "one column `gene`, got gen, group .* Did you mean 'gen'"),
        ("gene,gene,group\nA,B,c\n", "one column `gene`"),
        ("gene,group\nA\n", "a gene and a group in each line, got 'A' in line 2"),
        ("gene,group\nA, \n", "in line 2"),
        ("gene,group\n", "1 to 512 groups, got 0"),
        ("gene,group\n" + "".join(f"A,g{n}\n" for n in range(513)), "got 513"),
    ],
)
def test_what_is_no_signature_table_is_refused(table, text, message):
    with pytest.raises(ConfigError, match=message):
        read_signature(table(text))


def test_a_file_that_is_missing_or_too_large_is_refused(table, tmp_path):
    with pytest.raises(ConfigError, match=r"readable csv, got .*none\.csv.*Mend model\.groups"):
        read_signature(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="at most 2097152 bytes"):
        read_signature(table("gene,group\n" + "A,b\n" * (LARGEST_FILE // 4)))


@pytest.mark.parametrize("path", sorted(COME_ALONG.glob("*.toml")), ids=lambda path: path.stem)
def test_every_table_that_comes_along_says_where_it_is_from(path):
    text, groups = path.read_text(encoding="utf-8"), included_signature(path.stem)
    assert "Own selection from textbook knowledge" in text
    assert len(groups) >= 2
    assert all(len(genes) == len(set(genes)) > 5 for genes in groups.values())
