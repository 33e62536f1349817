import asyncio
import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from fusion.errors import ConfigError
from server.certificates import make_certificates
from server.gate import make_gate, serve_gate

ORDERS = ["/v1/control/start-run", "/v1/runtime/acquire-task", "/health", "/docs", "/"]
DISGUISED = [
    "/v1/fleet/../control/start-run", "/v1/fleet/%2e%2e/control/start-run",
    "//v1/control/start-run", "/v1/fleet//../../control/start-run", "/v1/fleet/",
    "/v1/fleet/pull-messages/../../control/start-run", "/v1/fleet/..", "/V1/fleet/pull-messages",
    "/v1/fleet/pull-messages%00", "/v1/fleet%2fpull-messages",
]  # fmt: skip


class Link:
    """A SuperLink that answers everything, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["POST", "GET"])])

    async def _answer(self, request):
        body = await request.body()
        self.asked.append((request.scope["raw_path"].decode(), dict(request.headers), body))

        async def pieces():
            for _ in range(4):
                yield b"x" * 1000

        return StreamingResponse(pieces(), 201, {"flwr-answer": "kept", "content-type": "a/b"})


@pytest.fixture
def link():
    return Link()


def ask(link, path, *, method="POST", **words):
    """Ask through the gate, without a client's own tidying of paths."""
    transport = (
        link if isinstance(link, httpx.AsyncBaseTransport) else httpx.ASGITransport(link.app)
    )

    async def go():
        way = httpx.AsyncClient(transport=transport, base_url="https://superlink")
        gate = httpx.ASGITransport(make_gate(way))
        raw = path.encode()
        url = httpx.URL("https://gate").copy_with(raw_path=raw)
        async with httpx.AsyncClient(transport=gate) as client:
            return await client.send(client.build_request(method, url, **words))

    return asyncio.run(go())


def test_a_hospitals_call_passes_with_body_and_signature(link):
    answer = ask(link, "/v1/fleet/pull-messages", content=b"body", headers={"flwr-signature": "s"})
    (path, headers, body) = link.asked[0]
    assert (path, headers["flwr-signature"], body) == ("/v1/fleet/pull-messages", "s", b"body")
    assert headers["host"] == "superlink"
    assert (answer.status_code, answer.headers["flwr-answer"]) == (201, "kept")
    assert answer.content == b"x" * 4000


@pytest.mark.parametrize("path", ORDERS + DISGUISED)
def test_orders_do_not_pass_however_they_are_written(link, path):
    assert ask(link, path).status_code == 404
    assert link.asked == []


def test_what_follows_a_question_mark_is_left_at_the_gate(link):
    ask(link, "/v1/fleet/pull-messages?path=/v1/control/start-run")
    assert link.asked[0][0] == "/v1/fleet/pull-messages"


def test_only_calls_that_carry_a_message_pass(link):
    assert ask(link, "/v1/fleet/pull-messages", method="GET").status_code == 405
    assert link.asked == []


def test_a_large_body_arrives_whole(link):
    body = bytes(range(256)) * 40_000  # 10 MB, twice Flower's largest piece
    ask(link, "/v1/fleet/push-object", content=body)
    assert link.asked[0][2] == body


def test_a_superlink_that_is_away_is_told_as_such():
    def away(_):
        raise httpx.ConnectError("away")

    answer = ask(httpx.MockTransport(away), "/v1/fleet/pull-messages")
    assert (answer.status_code, answer.text) == (502, "The SuperLink does not answer.")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder, hosts=["127.0.0.1"], days=1)
    return folder


def test_a_port_that_is_taken_is_a_sentence(certificates):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigError, match=r"must have an address to itself, got 127.0.0.1:\d+ \("),
    ):
        serve_gate(
            "127.0.0.1:1", host="127.0.0.1", port=taken.getsockname()[1], certificates=certificates
        )


def test_certificates_that_are_missing_or_damaged_are_a_sentence(certificates, tmp_path):
    told = "--certificates must be a folder with ca.crt, server.crt and server.key"
    with pytest.raises(ConfigError, match=told):
        serve_gate("127.0.0.1:1", host="127.0.0.1", port=0, certificates=tmp_path)
    for name in ("ca.crt", "server.crt", "server.key"):
        (tmp_path / name).write_bytes((certificates / name).read_bytes())
    (tmp_path / "server.key").write_text("no key")
    with pytest.raises(ConfigError, match=told):
        serve_gate("127.0.0.1:1", host="127.0.0.1", port=0, certificates=tmp_path)
