# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2 stand-in: behind a running instance with an Elastic IP stands a Debian host with systemd and sshd."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models import ec2_backends

from ..ports import PORTS
from .docker import DEFINITIONS, File, Site, docker, put

# What systemd and a Docker engine inside a container need. Not --privileged: it is refused where the machine around us
# has itself not got every capability.
POWERS = (DEFINITIONS / "host" / "powers").read_text().split()


@dataclass(frozen=True)
class Host:
    site: Site
    image: str
    id: str
    address: str
    hostname: str
    public_key: str
    running: bool
    reboots: int
    ports: tuple[int, ...] = field(compare=False)  # published when the container is made, and never changed
    model: Any = field(compare=False, repr=False)
    inside: str = field(compare=False, default="")  # its address in the rehearsal's network

    kind = "ec2"

    @property
    def key(self) -> str:
        return self.id

    @property
    def container(self) -> str:
        return f"{self.site.name}-{self.id}"

    def bring(self, before: Host | None) -> None:
        """Makes it so. `before` is what was asked for the last time."""
        if before is None:
            self.make(self.image)
        elif before.address != self.address:
            self.move()
        elif before.reboots != self.reboots and self.running:
            docker("restart", self.container)
        if before is None or before.running != self.running:
            docker("start" if self.running else "stop", self.container)

    def make(self, image: str) -> None:
        published = [f"--publish={self.address}:{port}:{port}" for port in self.ports]
        docker("volume", "create", "--label", self.site.label, self.container)
        docker(
            *(
                "create",
                "--pull=never",
                "--name",
                self.container,
                "--hostname",
                self.hostname,
                "--network",
                self.site.name,
                "--ip",
                self.inside,
            ),
            *("--label", self.site.label, "--label", f"orthweb.rehearsal.instance={self.id}"),
            f"--add-host=api.rehearsal:{self.site.gateway}",
            *(f"--volume={self.container}:/var/lib/docker", "--stop-timeout=30", "--restart=unless-stopped"),
            *POWERS,
            *published,
            image,
        )
        if self.public_key:
            keys = File(self.public_key.strip() + "\n", 0o600, 1000, 1000)
            put(self.container, {"/home/admin/.ssh/authorized_keys": keys})

    def move(self) -> None:
        """The same host at another address: what was installed and written stays. May be cut off and tried again."""
        print(f"{self.id} moves to {self.address}", flush=True)
        image = f"{self.site.name}:{self.id}"
        if docker("ps", "--all", "--quiet", "--filter", f"name=^{self.container}$"):
            docker("stop", self.container)
            docker("commit", self.container, image)
            docker("rm", "--force", self.container)
        self.make(image)
        if self.running:
            docker("start", self.container)

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.container)
        docker("volume", "rm", "--force", self.container)
        if docker("image", "ls", "--quiet", f"{self.site.name}:{self.id}"):
            docker("image", "rm", "--force", f"{self.site.name}:{self.id}")


def open_ports(instance: Any) -> tuple[int, ...]:
    """Those of our ports that a rule of the instance's groups lets an address in to."""
    groups = {group.id: group for nic in instance.nics.values() for group in nic.group_set}
    rules = [rule for group in groups.values() for rule in group.ingress_rules if rule.ip_range]
    return tuple(
        port
        for port in PORTS
        if any(rule.ip_protocol == "-1" or (rule.from_port or 0) <= port <= (rule.to_port or 0) for rule in rules)
    )


def free(site: Site, taken: set[str]) -> str:
    """An address in the rehearsal's network that no other host has."""
    start = site.gateway.rpartition(".")[0]
    return next(each for last in range(128, 255) if (each := f"{start}.{last}") not in taken)


def wanted(site: Site, image: str, current: dict[str, Any]) -> dict[str, Host]:
    """The hosts that should be there, from what the API has now. One that has lost its address goes on unreached."""
    hosts: dict[str, Host] = {}
    insides = {each.inside for each in current.values() if each.kind == "ec2"}
    for regions in list(ec2_backends.values()):
        for ec2 in list(regions.values()):
            insides |= {getattr(instance, "rehearsal_inside", "") for instance in ec2.all_instances()}
            addresses = {eip.eni.instance: eip.public_ip for eip in list(ec2.addresses) if eip.eni and eip.eni.instance}
            for instance in ec2.all_instances():
                before = current.get(instance.id)
                if before and before.model is not instance:
                    continue
                address = addresses.get(instance) or (before and before.address)
                if not address or instance.state in ("shutting-down", "terminated"):
                    continue
                if not before and instance.state != "running":
                    continue
                inside = getattr(instance, "rehearsal_inside", "")
                if not inside:
                    inside = instance.rehearsal_inside = free(site, insides)
                    insides.add(inside)
                pair = ec2.key_pairs.get(instance.key_name)
                hosts[instance.id] = Host(
                    site=site,
                    image=image,
                    id=instance.id,
                    address=address,
                    hostname=instance.private_dns_name.partition(".")[0],
                    public_key=before.public_key if before else pair.public_key if pair else "",
                    running=instance.state in ("running", "pending"),
                    reboots=getattr(instance, "rehearsal_reboots", 0),
                    ports=open_ports(instance),
                    model=instance,
                    inside=inside,
                )
    return hosts
