# SPDX-License-Identifier: GPL-3.0-or-later
"""Real peers to talk to: SCPs in this process, TLS with keys made here, and peers that are not what they should be."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.stream import PduStream
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.transport import Deadline
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import new_study, samples
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.files import Instance
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.paths import collect
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification
from stand_ins import STORED_CLASSES, STORED_SYNTAXES, Archive, Authority, Ran


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"), "imaging-ca")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other-pki"), "other-ca")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """20 CT instances of one series."""
    for sample in samples(tmp_path, new_study(None, "ID", "NAME"), ["ct"], copies=20):
        sample.write()
    return tmp_path


@pytest.fixture
def instances(folder: Path) -> tuple[Instance, ...]:
    return collect([str(folder)]).instances


@pytest.fixture
def archive() -> Iterator[Callable[..., Archive]]:
    """Start SCPs: ``archive(tls=context, status=0x0000, ...)``."""
    servers = []

    def start(
        tls: ssl.SSLContext | None = None,
        status: int | Callable[[Any], int] = 0x0000,
        contexts: list | None = None,
        handlers: Sequence[Any] = (),
        **settings: Any,
    ) -> Archive:
        stored: dict[str, bytes] = {}

        def on_store(event: Any) -> int:
            result = status(event) if callable(status) else status
            if result == 0:
                stored[event.request.AffectedSOPInstanceUID] = event.request.DataSet.getvalue()
            return result

        ae = AE(ae_title="ORTHANC")
        if contexts is None:
            ae.add_supported_context(Verification)
            for sop_class in STORED_CLASSES:
                ae.add_supported_context(sop_class, STORED_SYNTAXES)
        else:
            for each in contexts:
                ae.add_supported_context(*each)
        for name, value in settings.items():
            setattr(ae, name, value)
        answering = [
            *handlers,
            (evt.EVT_C_STORE, on_store),
            (evt.EVT_C_ECHO, lambda event: status(event) if callable(status) else status),
        ]
        server = ae.start_server(("127.0.0.1", 0), block=False, ssl_context=tls, evt_handlers=answering)
        servers.append(server)
        return Archive(server.server_address[1], stored)

    yield start
    for server in servers:
        threading.Thread(target=server.shutdown, daemon=True).start()  # it takes half a second


@pytest.fixture
def unanswered(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Have our side not wait out the time-out for what a peer will never answer: ``unanswered(event)``.

    It runs out a moment later, on the association of that event only. So time-outs can be long enough for the others
    on a busy machine. Not with TLS.
    """
    silent: set[int] = set()  # our ports
    receive = PduStream._receive

    def wait_or_run_out(stream: PduStream, length: int, deadline: Deadline, unanswered: bool) -> bytes:
        connection, asked = stream._socket, time.monotonic()
        port = connection.getsockname()[1]
        while not select.select([connection], [], [], min(0.02, deadline.remaining()))[0]:
            if port in silent and time.monotonic() - asked > 0.15:
                raise TimeoutError
        return receive(stream, length, deadline, unanswered)

    monkeypatch.setattr(PduStream, "_receive", wait_or_run_out)
    return lambda event: silent.add(event.assoc.requestor.port)


@pytest.fixture
def listener() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Start a TCP server that treats each connection as told: ``listener(behaviour)`` returns its port."""
    stop = threading.Event()
    sockets: list[socket.socket] = []

    def start(behaviour: Callable[[socket.socket], None]) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)

        def treat(connection: socket.socket) -> None:
            with contextlib.suppress(OSError, ValueError), connection:
                behaviour(connection)

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _unused = server.accept()
                except OSError:
                    return
                threading.Thread(target=treat, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return server.getsockname()[1]

    yield start
    stop.set()
    for server in sockets:
        server.close()


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str], new_process: Callable[[], None]) -> Callable[..., Ran]:
    """Run a module's ``main`` as Ansible does: ``run_module(module, options, check_mode=False)``."""

    def run(module: Any, options: dict[str, Any], check_mode: bool = False) -> Ran:
        new_process()
        with patch_module_args({**options, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit):
            module.main()
        captured = capsys.readouterr()
        assert captured.err == ""
        result = json.loads(captured.out.strip().splitlines()[-1])
        return Ran(bool(result.get("failed")), result)

    return run
