import pytest

from fusion.errors import ConfigError
from simulations.patient_table import read_sites, read_table


@pytest.mark.parametrize("header", ["site", " site ", '" site"'])
def test_a_site_is_text_however_its_column_is_spaced(tmp_path, header):
    path = tmp_path / "rows.csv"
    path.write_text(f"a,{header}\n1,02\n2, 03 \n", encoding="utf-8")
    assert read_sites(read_table(path, "Rows")) == ("02", "03")


def test_a_column_that_comes_twice_is_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a, a\n1,2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="Rows must name a column once, got a twice"):
        read_table(path, "Rows")
