"""An S3 server of the test's own, which can be made to fail: full, read-only, or cut off in the middle of a file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request, urlopen

import pytest

BUCKET = "audits"


@dataclass
class Server:
    """A running server.

    Attributes:
        endpoint: Its address.
        requests: Method and path of all requests, in order.
        refuses: From a request's method and path to the code of a refusal; None to answer it.
    """

    endpoint: str
    requests: list[tuple[str, str]] = field(default_factory=list)
    refuses: Callable[[str, str], str | None] = lambda *_: None

    @contextmanager
    def refusing(self, code: str, *methods: str, having: str = "") -> Iterator[None]:
        """Refuse requests of some methods whose path has a text."""
        before, self.refuses = self.refuses, lambda method, path: code if method in methods and having in path else None
        try:
            yield
        finally:
            self.refuses = before

    def objects(self) -> dict[str, bytes]:
        """All files in the bucket; a store also keeps empty marks of folders, whose names end in a slash."""
        import boto3

        client = boto3.client("s3", endpoint_url=self.endpoint)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        return {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys if not key.endswith("/")}

    def put(self, key: str, content: bytes) -> None:
        """Write a file from elsewhere."""
        import boto3

        boto3.client("s3", endpoint_url=self.endpoint).put_object(Bucket=BUCKET, Key=key, Body=content)

    def delete(self, key: str) -> None:
        """Remove a file from elsewhere."""
        import boto3

        boto3.client("s3", endpoint_url=self.endpoint).delete_object(Bucket=BUCKET, Key=key)


def _answering(server: Server, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        server.requests.append((method, path))
        code = server.refuses(method, path)
        if code is None:
            return application(environ, start)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start("403 Forbidden", [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code><Message>{code} is refused</Message></Error>".encode()]

    return answer


# The function has a name of its own, because a test's argument would otherwise redefine its import.
@pytest.fixture(name="s3")
def s3_server(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an empty bucket, and an environment that leads to it and to a folder of copies of its own."""
    import logging

    import boto3
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = Server("")
    application = _answering(server, DomainDispatcherApplication(create_backend_app))
    listening = make_server("127.0.0.1", 0, application, threaded=True)
    server.endpoint = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.endpoint,
        "BINCAM_CACHE": str(tmp_path_factory.mktemp("copies")),
    }.items():
        monkeypatch.setenv(name, value)
    urlopen(Request(f"{server.endpoint}/moto-api/reset", method="POST")).close()  # all servers of a process are one
    boto3.client("s3", endpoint_url=server.endpoint).create_bucket(Bucket=BUCKET)
    server.requests.clear()
    yield server
    listening.shutdown()
    thread.join()
    listening.server_close()
