"""What every command line does alike: parse, run, turn an error into a sentence and code 2."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from fusion.errors import ConcordError, ConfigError

QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment that keeps Flower and Ray from the network; set before either is imported."""

USER_ERROR = 2

READER_GONE = 141
"""Exit code of what a shell ends for writing to a pipe that nobody reads: 128 + SIGPIPE."""


def run_command(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    *,
    sentences: tuple[type[Exception], ...] = (),
) -> int:
    """Parse `arguments`, run the chosen command and return the exit code.

    Each subparser has set `run`, a function of the parsed arguments that returns an exit code.

    Args:
        parser: Of the whole command.
        arguments: Words after the command's name; None = those of this process.
        sentences: Further errors whose text is a sentence for a person.

    Returns:
        What the command returned, 2 for an error that a person can mend, 130 when interrupted, 141
        when nobody reads its output any more.

    Source: own.
    """
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    parsed = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("concord").setLevel(logging.INFO)
    known: tuple[type[Exception], ...] = (ConcordError, *sentences)
    try:
        code: int = parsed.run(parsed)
        sys.stdout.flush()
    except known as error:
        sys.stderr.write(f"error: {error}\n")
        return USER_ERROR
    except BrokenPipeError:  # whoever read our output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except OSError as error:
        sys.stderr.write(
            f"error: Files must be readable and writable, got {error.strerror or error} at "
            f"'{error.filename or ''}'. Check the path and its rights.\n"
        )
        return USER_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return code


def assigned(texts: Sequence[str]) -> dict[str, str]:
    """Return what the KEY=VALUE words of `--set` assign.

    Raises:
        ConfigError: A word has no equals sign.

    Source: own.
    """
    found = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign:
            raise ConfigError(f"--set must be KEY=VALUE, got '{text}'. Write training.lr=1e-3.")
        found[key.strip()] = value.strip()
    return found


def to_json(document: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return one strict JSON document: null, never NaN.

    Source: own.
    """
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns of equal width, the first row underlined.

    Source: own.
    """
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(
        [lines[0].rstrip(), "-" * len(lines[0]), *(line.rstrip() for line in lines[1:])]
    )
