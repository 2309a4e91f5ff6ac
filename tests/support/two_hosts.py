# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts behind a load balancer in a rehearsal: what each of them is asked, and what is done to them."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydicom.uid import generate_uid

from rehearsal.controller import REGION, Rehearsal

from .images import fetch
from .ledger import Modality
from .rest import rest
from .stack import Stack, docker


def balanced(rehearsal: Rehearsal) -> Stack:
    """The archive as its clients know it: at the balancer's address."""
    stack = Stack(rehearsal.stack, rehearsal.state, 11112, 443, 8042)
    stack.host = stack.outputs["dicom"]["host"]
    return stack


def on_host(host: str, *command: str) -> str:
    """What a command on a host says, errors and all."""
    whole = ["docker", "exec", host, *command]
    return subprocess.run(whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def states(rehearsal: Rehearsal) -> dict[str, list[str]]:
    """What the balancer says of the hosts, by target group."""
    elb = rehearsal.client("elbv2")
    return {
        group["TargetGroupName"]: sorted(
            each["TargetHealth"]["State"]
            for each in elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        )
        for group in elb.describe_target_groups()["TargetGroups"]
    }


def wait_until(rehearsal: Rehearsal, wanted: Sequence[str], seconds: float) -> float:
    """Seconds until the balancer says so of the hosts, at each port."""
    began = time.monotonic()
    while any(found != sorted(wanted) for found in states(rehearsal).values()):
        assert time.monotonic() < began + seconds, f"{wanted} was awaited: {states(rehearsal)}"
        time.sleep(1)
    return time.monotonic() - began


def host_of(rehearsal: Rehearsal, client: str) -> str:
    """Where the balancer sends a client to, by its address."""
    balancer = f"orthweb-rehearsal-{rehearsal.port}-elb-{rehearsal.stack}"
    socat = ["docker", "exec", "--interactive", balancer, "socat", "-", "UNIX-CONNECT:/run/haproxy.sock"]
    asked = f"show table checked-443 key {client}\n"
    said = subprocess.run(socat, input=asked, capture_output=True, text=True, check=True).stdout
    return re.findall(r"server_key=(\S+)", said)[0]


@contextmanager
def modalities(stack: Stack, number: int, pause: float = 0.1, images: int = 0) -> Iterator[list[Modality]]:
    """Send as long as the block lasts.

    :param images: how many over an association; 0 for as long as it lasts
    """
    sending = [Modality(stack, generate_uid(), pause, images) for _number in range(number)]
    for each in sending:
        each.start()
    try:
        yield sending
    finally:
        for each in sending:
            each.end.set()
        for each in sending:
            each.join()


def nothing_is_lost(stack: Stack, sent: Sequence[Modality]) -> str:
    """Each image that was acknowledged is there, once and byte for byte. Says what there was."""
    session = rest(stack)
    for each in sent:
        assert len(each.acknowledged) > 10, f"{each.name} has {len(each.acknowledged)} images: this run proves nothing"
        for uid, pixels in each.acknowledged.items():
            assert fetch(stack, uid, session).PixelData == pixels
    gap, refused = max(each.longest_gap for each in sent), [status for each in sent for status in each.refused]
    images, associations = sum(len(each.acknowledged) for each in sent), sum(each.associations for each in sent)
    cut = sum(each.cut for each in sent)
    return f"{images} images, {associations} associations, {cut} cut, refused {refused}, longest gap {gap:.1f} s"


class Machine:
    """A container of the rehearsal's network, whose power fails: no packet says so."""

    def __init__(self, rehearsal: Rehearsal, container: str) -> None:
        self.container, self.network = container, f"orthweb-rehearsal-{rehearsal.port}"

    @property
    def address(self) -> str:
        where = f'{{{{(index .NetworkSettings.Networks "{self.network}").IPAddress}}}}'
        return docker("inspect", "--format", where, self.container)

    def loses_power(self) -> None:
        docker("network", "disconnect", self.network, self.container)
        docker("kill", "--signal=KILL", self.container)

    def starts(self, address: str, *names: str) -> None:
        aliases = [f"--alias={name}" for name in names]
        docker("network", "connect", *aliases, "--ip", address, self.network, self.container)
        docker("start", self.container)


def fail_over(rehearsal: Rehearsal, seconds: float) -> None:
    """As a Multi-AZ database whose primary is lost. Its name becomes that of the standby, which has all commits."""
    [found] = rehearsal.client("rds").describe_db_instances()["DBInstances"]
    database = Machine(rehearsal, f"orthweb-rehearsal-{rehearsal.port}-{REGION}-{rehearsal.stack}")
    network, _dot, last = database.address.rpartition(".")
    elsewhere = f"{network}.{120 if last != '120' else 121}"
    database.loses_power()
    time.sleep(seconds)
    database.starts(elsewhere, found["Endpoint"]["Address"])
