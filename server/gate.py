"""The gate before the SuperLink: hospitals pass, whoever wants to give orders does not.

Flower serves three interfaces on one port: for hospitals (`/v1/fleet/`), for orders such as "run
this code at every site" (`/v1/control/`), and for its own processes (`/v1/runtime/`). Only the
first asks who is calling. So the SuperLink listens on loopback, and this gate, which hospitals can
reach, hands on the first and refuses everything else.
"""

import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from fusion.errors import ConfigError

log = logging.getLogger("concord.server")

PASSES = re.compile(rb"/v1/fleet/[a-z-]+")
"""Whole raw paths that go through; no dots, no escapes, so that none can be read in two ways."""

# Each end of the gate sets these anew.
_OWN = {"host", "connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"}

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)


def make_gate(way: httpx.AsyncClient) -> Starlette:
    """Return the gate as an app.

    Args:
        way: Client whose base address is the SuperLink's; closed with the app.

    Returns:
        An ASGI app.

    Privacy: bodies are handed on piece by piece; none is kept or logged.

    Source: own.
    """

    async def hand_on(request: Request) -> Response:
        path = request.scope["raw_path"]
        if not PASSES.fullmatch(path):
            log.warning("refused: %s asked for %s", _caller(request), ascii(path[:80]))
            return PlainTextResponse("Only the calls of hospitals pass here.", status_code=404)
        return await _ask(way, path.decode(), request)

    @asynccontextmanager
    async def close_way(_: Starlette) -> AsyncIterator[None]:
        async with way:
            yield

    return Starlette(routes=[Route("/{path:path}", hand_on, methods=["POST"])], lifespan=close_way)


def serve_gate(superlink: str, *, host: str, port: int, certificates: Path) -> None:
    """Serve the gate until it is stopped.

    Args:
        superlink: Host and port of the SuperLink; its certificate is checked.
        host: Address to listen on.
        port: Likewise.
        certificates: Folder that `concord-server certificates` wrote.

    Raises:
        ConfigError: A certificate is missing or damaged, or the address cannot be listened on.

    Source: own.
    """
    trust, own = _check(certificates)
    listening = _listen(host, port)
    way = httpx.AsyncClient(
        base_url=f"https://{superlink}", verify=trust, timeout=_TIMEOUT, trust_env=False
    )
    config = uvicorn.Config(
        make_gate(way), ssl_context_factory=lambda *_: own, access_log=False, log_level="error"
    )
    log.info("open for hospitals on %s:%d, before the SuperLink at %s", host, port, superlink)
    with listening:
        uvicorn.Server(config).run([listening])


async def _ask(way: httpx.AsyncClient, path: str, request: Request) -> Response:
    """Return the SuperLink's answer, piece by piece."""
    headers = [pair for pair in request.headers.items() if pair[0] not in _OWN]
    onward = way.build_request("POST", path, headers=headers, content=request.stream())
    try:
        answer = await way.send(onward, stream=True)
    except httpx.TransportError as error:
        log.warning("the SuperLink does not answer: %s", type(error).__name__)
        return PlainTextResponse("The SuperLink does not answer.", status_code=502)
    kept = {name: value for name, value in answer.headers.items() if name not in _OWN}
    return StreamingResponse(
        answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose)
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"The gate must have an address to itself, got {host}:{port} ({error}). Choose another "
            "--host or --port, or stop what listens there."
        ) from None


def _caller(request: Request) -> str:
    return request.client.host if request.client else "somebody"


def _check(certificates: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the trust in the SuperLink, and the gate's own certificate, once both are readable."""
    try:
        trust = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    except OSError as error:
        raise ConfigError(
            f"--certificates must be a folder with ca.crt, server.crt and server.key, got "
            f"'{certificates}' ({error.strerror or error}). Make it with `concord-server "
            "certificates`."
        ) from None
    return trust, own
