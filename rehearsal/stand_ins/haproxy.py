# SPDX-License-Identifier: GPL-3.0-or-later
"""A Network Load Balancer in HAProxy's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """A listener with its target group."""

    port: int
    targets: tuple[tuple[str, str], ...]  # instance and address:port
    allowed: tuple[str, ...]  # networks of the clients
    idle_seconds: int
    drain_seconds: int
    sticky: bool
    cuts: bool  # the connections of a target that becomes unhealthy
    check_protocol: str
    check_port: int
    check_path: str
    check_interval: int
    check_timeout: int
    check_rise: int
    check_fall: int


GLOBAL = """
global
    log stdout format raw local0 notice
    stats socket /run/haproxy.sock mode 600 level admin
    hard-stop-after {drain}s
    maxconn 4096
defaults
    mode tcp
    log global
    retries 1
"""
# What AWS calls fail-open: with no healthy target, all of them are used.
LISTENER = """
frontend port-{port}
    bind {address}:{port}
    timeout client {idle}s
    tcp-request connection silent-drop unless {{ src {allowed} }}
    use_backend any-{port} if {{ nbsrv(checked-{port}) eq 0 }}
    default_backend checked-{port}
backend checked-{port}
    timeout connect {timeout}s
    timeout server {idle}s
    {balance}
    {check}
    timeout check {timeout}s
    default-server check{tls} port {check_port} inter {interval}s rise {rise} fall {fall}{cuts}
{servers}
backend any-{port}
    timeout connect {timeout}s
    timeout server {idle}s
    {balance}
{servers}
"""
STICKY = "balance roundrobin\n    stick-table type ip size 10k expire 1h\n    stick on src"
# The host is one that a server does not know, as it does not know its address, which AWS gives.
HTTP_CHECK = """option httpchk
    http-check send meth GET uri {path} ver HTTP/1.1 hdr Host balancer.rehearsal
    http-check expect status 200-399"""


def configuration(address: str, groups: Sequence[Group]) -> str:
    """The whole file of a balancer at an address."""
    drain = max((group.drain_seconds for group in groups), default=1)
    return GLOBAL.format(drain=max(drain, 1)) + "".join(listener(address, group) for group in groups)


def listener(address: str, group: Group) -> str:
    over_http = group.check_protocol in ("HTTP", "HTTPS")
    return LISTENER.format(
        address=address,
        port=group.port,
        idle=group.idle_seconds,
        allowed=" ".join(group.allowed) or "255.255.255.255",
        cuts=" on-marked-down shutdown-sessions" if group.cuts else "",
        balance=STICKY if group.sticky else "balance roundrobin",
        check=HTTP_CHECK.format(path=group.check_path) if over_http else "option tcp-check",
        tls=" check-ssl verify none" if group.check_protocol == "HTTPS" else "",
        check_port=group.check_port,
        interval=group.check_interval,
        timeout=group.check_timeout,
        rise=group.check_rise,
        fall=group.check_fall,
        servers="\n".join(f"    server {name} {where}" for name, where in group.targets),
    )
