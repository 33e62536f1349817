import pytest

from fusion.errors import ConfigError, OutputError
from simulations.folders import whole_folder


def test_what_was_written_takes_its_place(tmp_path):
    with whole_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "a").read_text() == "a"


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    with whole_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
    assert (tmp_path / "out" / "a").exists()


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("No space")]
)
def test_a_write_that_fails_leaves_nothing(tmp_path, error):
    def write():
        with whole_folder(tmp_path / "out") as folder:
            (folder / "a").write_text("a")
            raise error

    with pytest.raises(OutputError, match=r"--out must be .* written, got '.*out' \(No space"):
        write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["full", "file", "link to nowhere"])
def test_what_is_there_stays(tmp_path, kind):
    out = tmp_path / "out"
    if kind == "full":
        (out / "mine").mkdir(parents=True)
    elif kind == "file":
        out.write_text("mine")
    else:
        out.symlink_to("gone")
    with pytest.raises(ConfigError, match="absent or empty folder"), whole_folder(out):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
