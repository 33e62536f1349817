import copy
import json

import pytest

from fusion.errors import ConcordError, ConfigError
from server.folder import held, prepare, read_result, write_report, write_result


def test_a_new_or_empty_folder_serves(tmp_path):
    assert prepare(tmp_path, resume=False) == tmp_path
    assert prepare(tmp_path / "new", resume=False) == tmp_path / "new"
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_serves_only_to_resume(tmp_path):
    (tmp_path / "old.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"Output folder must be new or empty, got '"):
        prepare(tmp_path, resume=False)
    assert prepare(tmp_path, resume=True) == tmp_path


@pytest.mark.parametrize("resume", [False, True])
def test_a_file_is_no_folder(tmp_path, resume):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="must be new or empty"):
        prepare(tmp_path / "file", resume=resume)


@pytest.mark.parametrize("resume", [False, True])
def test_what_a_killed_run_left_half_written_is_removed(tmp_path, resume):
    (tmp_path / ".checkpoint.safetensors.partial-77").write_bytes(b"half")
    assert prepare(tmp_path, resume=resume) == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_removed_from_a_folder_of_somebody_else(tmp_path):
    (tmp_path / ".download.partial-77").write_bytes(b"half")
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="must be new or empty"):
        prepare(tmp_path, resume=False)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_result_is_written_with_its_report_and_read_back(tmp_path, finished):
    write_result(tmp_path / "run", finished.result)
    assert read_result(tmp_path / "run") == finished.result
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["report.html", "result.json"]


def test_a_result_that_does_not_fit_the_schema_is_not_written(tmp_path, finished):
    wrong = copy.deepcopy(finished.result)
    wrong["evaluation"]["pooled"]["concordance"]["value"] = float("nan")
    with pytest.raises(ConcordError, match="finite number or null"):
        write_result(tmp_path / "run", wrong)
    assert not (tmp_path / "run").exists()


def test_a_report_can_be_written_again(tmp_path, finished):
    path = write_report(tmp_path, finished.result)
    assert path.read_bytes() == (finished.folder / "report.html").read_bytes()


@pytest.mark.parametrize("content", [None, "{", "\xff"])
def test_a_folder_without_a_readable_result_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "result.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"must hold result\.json, got none that can be read"):
        read_result(tmp_path)


def test_a_result_of_another_shape_is_refused(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(ConcordError, match="result must have"):
        read_result(tmp_path)


def test_two_runs_cannot_work_in_one_folder(tmp_path):
    refused = pytest.raises(ConfigError, match="one run at work in it, got a second one in '")
    with held(tmp_path / "run"), refused, held(tmp_path / "run"):
        pass


def test_a_folder_is_free_again_after_its_run_and_gone_if_it_stayed_empty(tmp_path):
    with held(tmp_path / "run"):
        (tmp_path / "run" / "kept").write_text("")
    with held(tmp_path / "run"), held(tmp_path / "other"):
        assert (tmp_path / "other").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
