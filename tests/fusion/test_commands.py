import argparse
import json
import logging
import os
import sys
from subprocess import PIPE, Popen

import pytest

from fusion.commands import QUIET, run_command, table, to_json
from fusion.errors import ConfigError


@pytest.fixture(autouse=True)
def _logging_as_before():
    root, own = logging.getLogger(), logging.getLogger("concord")
    kept, levels = list(root.handlers), (root.level, own.level)
    yield
    for handler in [h for h in root.handlers if h not in kept]:
        root.removeHandler(handler)
    for handler in [h for h in kept if h not in root.handlers]:
        root.addHandler(handler)
    root.setLevel(levels[0])
    own.setLevel(levels[1])


def command(run):
    parser = argparse.ArgumentParser(prog="concord-test")
    parser.set_defaults(run=run)
    return parser


def failing(error):
    def run(_):
        raise error

    return command(run)


def test_the_command_says_its_exit_code():
    assert run_command(command(lambda _: 1), []) == 1


def test_an_error_a_person_can_mend_is_one_line_and_exit_code_2(capsys):
    assert run_command(failing(ConfigError("A must be b, got c. Do d.")), []) == 2
    assert capsys.readouterr() == ("", "error: A must be b, got c. Do d.\n")


def test_a_file_that_cannot_be_read_is_one_line_and_exit_code_2(capsys):
    error = PermissionError(13, "Permission denied", "model.safetensors")
    assert run_command(failing(error), []) == 2
    assert capsys.readouterr().err == (
        "error: Files must be readable and writable, got Permission denied at "
        "'model.safetensors'. Check the path and its rights.\n"
    )


def test_output_that_nobody_reads_any_more_ends_the_command_without_a_word():
    code = (
        "import argparse; from fusion.commands import run_command\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.set_defaults(run=lambda parsed: print('x' * 200_000) or 0)\n"
        "raise SystemExit(run_command(parser, []))"
    )
    with Popen([sys.executable, "-c", code], stdout=PIPE, stderr=PIPE) as writer:
        writer.stdout.close()
        told = writer.stderr.read()
    assert (writer.returncode, told) == (141, b"")


def test_an_interruption_says_so(capsys):
    assert run_command(failing(KeyboardInterrupt()), []) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_fault_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_command(failing(ZeroDivisionError()), [])


def test_a_wrong_flag_is_exit_code_2(capsys):
    with pytest.raises(SystemExit, match="2"):
        run_command(command(lambda _: 0), ["--nonsense"])
    assert "unrecognized arguments: --nonsense" in capsys.readouterr().err


def test_flower_and_ray_stay_off_the_network(monkeypatch):
    for name in QUIET:
        monkeypatch.delenv(name, raising=False)
    seen = {}
    run_command(command(lambda _: seen.update(os.environ) or 0), [])
    assert {name: seen[name] for name in QUIET} == QUIET


def test_a_persons_own_environment_is_left(monkeypatch):
    monkeypatch.setenv("FLWR_TELEMETRY_ENABLED", "1")
    run_command(command(lambda _: 0), [])
    assert os.environ["FLWR_TELEMETRY_ENABLED"] == "1"


def test_progress_goes_to_stderr(capsys):
    def run(_):
        logging.getLogger("concord.server").info("round 1")
        logging.getLogger("others").info("chatter")
        return 0

    run_command(command(run), [])
    assert capsys.readouterr() == ("", "round 1\n")


def test_json_is_strict():
    assert json.loads(to_json({"a": None, "b": ["é"]})) == {"a": None, "b": ["é"]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"a": float("nan")})


def test_a_table_has_columns_of_equal_width():
    text = table([("site", "n"), ("lyon", "3"), ("a", "12")])
    assert text.splitlines() == ["site  n", "--------", "lyon  3", "a     12"]
