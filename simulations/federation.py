"""The inline engine: the unmodified ServerApp and ClientApp in one process, no sockets."""

import copy
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from client.app import app as client_app
from client.settings import simulated_state, site_folders
from client.site import forget_sites
from fusion.config import RunConfig, flatten
from fusion.errors import ConfigError, SiteError
from fusion.readers.site_toml import read_site_description
from server.app import app as server_app

SERVER = 1
FIRST_SITE = 1000


class InlineGrid(Grid):
    """Carries messages to a ClientApp in the same process, one site after the other.

    Every request is copied on its way, so that no site can change what another one receives.

    Args:
        app: The ClientApp of every site.
        nodes: Each site's node config.
        run_config: The run's settings, as Flower hands them out.

    Source: own.
    """

    def __init__(
        self, app: ClientApp, nodes: Sequence[Mapping[str, str | bool]], run_config: Mapping
    ) -> None:
        self._app = app
        self._run = Run.create_empty(secrets.randbits(62))
        run_id = self._run.run_id
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = SERVER, run_id, SERVER
        self.contexts = {
            FIRST_SITE + place: Context(
                run_id, FIRST_SITE + place, dict(node), RecordDict(), dict(run_config)
            )
            for place, node in enumerate(nodes)
        }
        self._replies: dict[str, Message] = {}

    def set_run(self, run: Run) -> None:
        """Take over a run's description."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run's description."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a message to one site."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Return the sites' numbers."""
        return list(self.contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Let each site answer at once, and keep the answers."""
        return [self._deliver(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the answers that were kept."""
        return [self._replies.pop(name) for name in list(message_ids) if name in self._replies]

    def send_and_receive(
        self,
        messages: Iterable[Message],
        *,
        timeout: float | None = None,  # noqa: ARG002 -- sites answer at once
    ) -> Iterable[Message]:
        """Send each message and return the answers."""
        return self.pull_messages(self.push_messages(messages))

    def _deliver(self, message: Message) -> str:
        name = str(uuid4())
        message.metadata.__dict__["_message_id"] = name
        context = self.contexts[message.metadata.dst_node_id]
        self._replies[name] = self._app(_copied(message), context)
        return name


def _copied(message: Message) -> Message:
    """Return the message with records of its own; arrays are shared, their bytes cannot change."""
    content = RecordDict()
    for name, record in message.content.array_records.items():
        content[name] = ArrayRecord(dict(record))
    for name, words in message.content.config_records.items():
        content[name] = ConfigRecord(copy.deepcopy(dict(words)))
    twin = copy.copy(message)
    twin.content = content
    return twin


def site_nodes(config: RunConfig) -> list[dict[str, str | bool]]:
    """Return each simulated site's node config; what it keeps lies with the model's run.

    Raises:
        ConfigError: There is no site folder, or two sites have one name.

    Source: own.
    """
    finished = config.audit.model_file
    kept = Path(finished).parent if finished else Path(config.out)
    folders = site_folders(Path(config.sites))
    _check_names(folders)
    return [
        {"site": str(folder), "state": str(simulated_state(kept, folder)), "simulated": True}
        for folder in folders
    ]


def _check_names(folders: Sequence[Path]) -> None:
    """Raise if two folders have one name; a description that cannot be read is the site's to tell.

    A coordinator leaves such sites out and goes on. On one machine it is a slip that can be mended.
    """
    known = set[str]()
    for folder in folders:
        with suppress(SiteError):
            name = read_site_description(folder).name
            if name in known:
                raise ConfigError(
                    f"Each site must have a name of its own, got '{name}' more than once. Change "
                    "`name` in one site.toml."
                )
            known.add(name)


def run_inline(
    config: RunConfig, server: ServerApp = server_app, client: ClientApp = client_app
) -> Path:
    """Run a federation over the site folders below `config.sites`, in this process.

    Args:
        config: The run's settings.
        server: The coordinator's app.
        client: The sites' app.

    Returns:
        The run's folder with result, report and model.

    Raises:
        ConcordError: What a person can mend, in a sentence.

    Source: own.
    """
    nodes = site_nodes(config)
    federation = replace(config.federation, expected_sites=len(nodes))
    run_config = flatten(replace(config, federation=federation))
    grid = InlineGrid(client, nodes, run_config)
    try:
        server(grid=grid, context=Context(grid.run.run_id, SERVER, {}, RecordDict(), run_config))
    finally:
        forget_sites()
    return Path(config.out)
