"""The ServerApp: reads the settings, leads the run, writes result and report."""

import logging
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from fusion.config import from_flat
from server.folder import held, prepare, write_audit, write_result
from server.phases import conduct
from server.reaudit import reaudit

app = ServerApp()

OURS = "concord: "
"""How our lines begin in Flower's log."""


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Lead one run and leave `result.json`, `report.html` and `model.safetensors` in its folder.

    With `audit.model-file` no model is trained: that one is audited, into `audit.json` and
    `report.html`.
    """
    _show_progress()
    config = from_flat(context.run_config)
    folder = prepare(Path(config.out), resume=config.resume)
    with held(folder):
        if config.audit.model_file:
            write_audit(folder, reaudit(grid, config))
        else:
            write_result(folder, conduct(grid, config))


def _show_progress() -> None:
    """Let progress be seen where nobody has set up logging, as in Flower's own processes.

    Flower's log holds its own lines too; ours begin with a word of their own.
    """
    ours = logging.getLogger("concord")
    if not ours.handlers and not logging.getLogger().handlers:
        shown = logging.StreamHandler()
        shown.setFormatter(logging.Formatter(f"{OURS}%(message)s"))
        ours.addHandler(shown)
        ours.setLevel(logging.INFO)
