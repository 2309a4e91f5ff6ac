# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's server: moto's application, a log of every call, and the rehearsal's own settings under /rehearsal/."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moto.ec2.models import ec2_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.rds.models import rds_backends
from werkzeug.serving import BaseWSGIServer, make_server

from ..settings import settings

# Importing them corrects moto.
from . import (  # noqa: F401  # pylint: disable=unused-import
    backup,
    calls,
    cloudwatch,
    elb,
    iam,
    instances,
    kms,
    limits,
    logs,
    rds,
    rds_copies,
    rds_events,
    rds_life,
    rds_parameters,
    rds_snapshots,
    rds_storage,
    rds_versions,
    secrets_manager,
    sns,
    vpc,
)

Environment = dict[str, Any]
advancing = threading.Lock()


def advance() -> None:
    """Lets the time pass: what is due by now changes its state."""
    with advancing:
        now = time.monotonic()
        for backends, step in (
            (ec2_backends, instances.advance),
            (ec2_backends, vpc.advance),
            (rds_backends, rds_life.advance),
        ):
            for regions in list(backends.values()):
                for backend in list(regions.values()):
                    step(backend, now)


def service_and_action(environ: Environment, body: bytes) -> tuple[str, str]:
    """What is asked for, from the signature's scope and from whichever place the service's protocol has for it."""
    scope = re.search(r"Credential=[^/]*/\d+/[^/]*/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    service = scope[1] if scope else "-"
    path, query = environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return service, target.rpartition(".")[2]
    if form := re.search(r"(?:^|&)Action=([A-Za-z0-9]+)", body[:100_000].decode("latin-1") + "&" + query):
        return service, form[1]
    if operation := re.search(r"/operation/(\w+)$", path):
        return service, operation[1]
    if called := calls.rest_operation(service, environ):
        return service, called[0]
    # What S3 is asked for of a bucket is a parameter without a value: ?tagging, ?versions.
    parts = (each.removesuffix("=") for each in query.split("&"))
    part = next((f"?{each}" for each in parts if each and "=" not in each), "") if service == "s3" else ""
    return service, f"{environ['REQUEST_METHOD']} {path}{part}"


def error_code(body: bytes) -> str:
    found = re.search(rb'<Code>([\w.]+)</Code>|"__type"\s*:\s*"(?:[^"]*#)?([\w.]+)"', body)
    return (found[1] or found[2]).decode() if found else ""


class Application:
    """A WSGI application."""

    def __init__(self, log: Path | None, describe: Callable[[], list[dict[str, Any]]]) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.log = log.open("a", buffering=1, encoding="utf-8") if log else None
        self.describe = describe

    def __call__(self, environ: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        if environ["PATH_INFO"].startswith("/rehearsal/"):
            return self.rehearsal(environ, body, start_response)
        environ["wsgi.input"] = io.BytesIO(body)
        began, status = time.time(), ["?"]

        def start(line: str, *rest: Any) -> Any:
            status[0] = line.split()[0]
            return start_response(line, *rest)

        advance()
        if settings.logs_away and service_and_action(environ, body)[0] == "logs":
            start("503 Service Unavailable", [("Content-Type", "application/json")])
            return [b'{"__type":"ServiceUnavailableException"}']
        service, action = service_and_action(environ, body)
        logged = self.log and not environ["PATH_INFO"].startswith("/moto-api/")
        about = calls.described(service, environ, body) if logged else {}
        answer = self.moto(environ, start)
        if self.log and logged:
            entry: dict[str, Any] = {
                "time": round(began, 3),
                "ms": round((time.time() - began) * 1000),
                "service": service,
                "action": action,
                "status": int(status[0]),
                **{key: value for key, value in about.items() if value},
            }
            if entry["status"] >= 400:
                answer = [b"".join(answer)]
                entry["error"] = error_code(answer[0])
            self.log.write(json.dumps(entry) + "\n")
        return answer

    def rehearsal(self, environ: Environment, body: bytes, start_response: Callable[..., Any]) -> list[bytes]:
        status, answer = "200 OK", None
        if environ["PATH_INFO"] == "/rehearsal/stand-ins":
            answer = self.describe()
        elif environ["PATH_INFO"] != "/rehearsal/settings":
            status, answer = "404 Not Found", {"error": "there are /rehearsal/settings and /rehearsal/stand-ins"}
        elif environ["REQUEST_METHOD"] == "POST":
            try:
                settings.update(json.loads(body))
            except (ValueError, AttributeError) as error:
                status, answer = "400 Bad Request", {"error": str(error)}
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(asdict(settings) if answer is None else answer).encode() + b"\n"]


def make(
    port: int, log: Path | None, describe: Callable[[], list[dict[str, Any]]], address: str = "127.0.0.1"
) -> BaseWSGIServer:
    """A server that has its port already. Raises OSError or SystemExit when somebody else has it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = Application(log, describe)
    return make_server(address, port, application, threaded=True, request_handler=MotoRequestHandler)
