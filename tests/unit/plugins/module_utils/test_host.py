# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils import host


def test_a_listening_socket_is_found_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = [listener for listener in host.listeners() if listener.port == port]
    assert [(listener.address, listener.pid) for listener in found] == [("127.0.0.1", os.getpid())]
    assert not [listener for listener in host.listeners() if listener.port == port]


def test_an_ipv6_socket_is_found() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        # A test beside this one may have the same port on 127.0.0.1.
        assert "::1" in [listener.address for listener in host.listeners() if listener.port == port]


def test_sockets_are_told_by_port_with_the_name_of_the_process_or_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody but root sees whose a socket of another user is."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1\n"
        "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1\n"
        "   2: 0100007F:0050 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 13 1\n"
        "   3: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1\n"
    )
    for pid, inode in ((7, 11), (8, 14), (70, 11)):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "fd" / "0").symlink_to("/dev/null")
        for closed in range(10, 20):
            (tmp_path / str(pid) / "fd" / str(closed)).touch()  # no link can be read any more
        (tmp_path / str(pid) / "fd" / "3").symlink_to(f"socket:[{inode}]")
    for pid in ("7", "70"):
        (tmp_path / pid / "comm").write_text("nginx\n")
    (tmp_path / "8" / "comm").write_bytes("caf\u00e9\n".encode())
    for ended in range(20, 30):
        (tmp_path / str(ended)).mkdir()
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(sorted(listed(folder))))  # what leads nowhere comes first
    found = host.listeners(tmp_path)
    assert found == [
        host.Listener(22, "0.0.0.0", None, None),
        host.Listener(80, "0.0.0.0", 8, "caf\ufffd\ufffd"),
        host.Listener(80, "127.0.0.1", 7, "nginx"),
    ]


def test_networks_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "route").write_text(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "wg0\t0000110A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert host.ipv4_networks(tmp_path) == ["10.17.0.0/16", "192.0.2.0/24"]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "172.17.0.0/16"),
        (["172.17.4.0/24"], "10.0.0.0/8"),  # a part of it is taken
        (["172.17.4.1/24"], "10.0.0.0/8"),  # as Docker writes an address in it
        (["172.16.0.0/12"], "10.0.0.0/8"),  # it is a part of what is taken
        (["172.16.0.0/12", "10.1.2.0/24"], None),
        (["fd00::/8"], "172.17.0.0/16"),
    ],
)
def test_the_first_network_that_meets_no_other(taken: list[str], expected: str | None) -> None:
    assert host.first_free_network(["172.17.0.0/16", "10.0.0.0/8"], taken) == expected


def test_free_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    size, free = host.disk_bytes(tmp_path / "not" / "there")
    there = shutil.disk_usage(tmp_path)
    assert free == pytest.approx(there.free, rel=0.01)
    assert size == pytest.approx(there.used + there.free, rel=0.01)


def test_memory(tmp_path: Path) -> None:
    assert host.memory_bytes(tmp_path) == 0
    (tmp_path / "meminfo").write_text("Foo: 1 kB\nMemTotal:       16 kB\n")
    assert host.memory_bytes(tmp_path) == 16384
    assert host.memory_bytes() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
