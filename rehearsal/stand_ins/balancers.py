# SPDX-License-Identifier: GPL-3.0-or-later
"""NLB stand-in: behind a Network Load Balancer stands an HAProxy that forwards TCP to the hosts that are healthy."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from ..api.elb import address_of
from .docker import DockerError, File, Site, docker, put
from .haproxy import Group, configuration

FILE = "/etc/haproxy/haproxy.cfg"
WORKER, MASTER = "/run/haproxy.sock", "/run/master.sock"


@dataclass(frozen=True)
class Balancer:
    site: Site
    image: Callable[[], str] = field(compare=False, repr=False)
    arn: str
    name: str
    dns_name: str
    groups: tuple[Group, ...]
    model: Any = field(compare=False, repr=False)

    kind = "elb"
    running = True
    is_current = True

    @property
    def key(self) -> str:
        return self.arn

    @property
    def address(self) -> str:
        return address_of(self.dns_name)

    @property
    def container(self) -> str:
        return f"{self.site.name}-elb-{self.name}"

    def bring(self, before: Balancer | None) -> None:
        """Makes it so. `before` is what was asked for the last time."""
        healthy = {each for each, state in self.states() if state == "UP"} if before else set()
        content = File(configuration(self.address, self.groups))
        if before is None:
            # In this machine's own network, so that it knows clients by their addresses, as groups and stickiness want.
            options = ("--pull=never", "--name", self.container, "--network=host", "--label", self.site.label)
            docker("create", *options, "--restart=unless-stopped", self.image())
            put(self.container, {FILE: content})
            docker("start", self.container)
        else:
            put(self.container, {FILE: content})
            self.say("reload", MASTER)
        self.wait()
        # On AWS a target is `initial` until it has passed its checks; HAProxy thinks well of it from the start.
        for each, _state in list(self.states()):
            if each not in healthy:
                self.say(f"set server {each} health down")

    def say(self, command: str, socket: str = WORKER) -> str:
        asked = ("exec", "--interactive", self.container, "socat", "-t", "20", "-", f"UNIX-CONNECT:{socket}")
        return docker(*asked, stdin=command + "\n")

    def wait(self, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while True:
            try:
                self.say("show info")
                return
            except DockerError as error:
                if time.monotonic() > until:
                    raise DockerError(f"{self.container} did not answer in {seconds:.0f} seconds: {error}") from error
            time.sleep(0.2)

    def states(self) -> Iterator[tuple[str, str]]:
        """What HAProxy says of each target that it checks: `checked-443/i-…`, by the port of the group, and `UP`."""
        said = self.say("show stat -1 4 -1").removeprefix("# ")
        for row in csv.DictReader(StringIO(said)):
            if row["pxname"].startswith("checked-"):
                yield f"{row['pxname']}/{row['svname']}", row["status"].split()[0]

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.container)


class Health:
    """What the stand-ins have found of the targets, for DescribeTargetHealth."""

    def __init__(self, current: dict[str, Any]) -> None:
        self.current = current

    def __call__(self, group: Any, target: str) -> tuple[str, str, str]:
        for balancer in list(self.current.values()):
            if balancer.kind == "elb" and balancer.arn in group.load_balancer_arns:
                return self.found(dict(balancer.states()).get(f"checked-{group.port}/{target}", ""))
        return "initial", "Elb.RegistrationInProgress", "Target registration is in progress"

    @staticmethod
    def found(state: str) -> tuple[str, str, str]:
        if state == "UP":
            return "healthy", "", ""
        if state == "":
            return "initial", "Elb.InitialHealthChecking", "Initial health checks in progress"
        return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"


def admitted(instance: Any, balancer: Any, port: int) -> bool:
    """Whether a rule of the instance's groups lets the balancer in to a port."""
    groups = {group.id: group for nic in instance.nics.values() for group in nic.group_set}
    return any(
        (rule.ip_range or rule.source_group.get("GroupId") in balancer.security_groups)
        and (rule.ip_protocol == "-1" or (rule.from_port or 0) <= port <= (rule.to_port or 0))
        for group in groups.values()
        for rule in group.ingress_rules
    )


def allowed(ec2: Any, balancer: Any, port: int) -> tuple[str, ...]:
    """The networks that the balancer's groups let in to a port."""
    rules = [rule for id_ in balancer.security_groups for rule in ec2.get_security_group_from_id(id_).ingress_rules]
    return tuple(
        sorted(
            rule.ip_range["CidrIp"]
            for rule in rules
            if rule.ip_range.get("CidrIp")
            and (rule.ip_protocol == "-1" or (rule.from_port or 0) <= port <= (rule.to_port or 0))
        )
    )


def groups(elb: Any, balancer: Any, current: dict[str, Any]) -> Iterator[Group]:
    """What each listener forwards to, and how."""
    ec2 = ec2_backends[elb.account_id][elb.region_name]
    for listener in list(balancer.listeners.values()):
        group = elb.target_groups.get(listener.default_actions[0].data["TargetGroupArn"])
        if not group:
            continue
        hosts = [current[each] for each in sorted(group.targets) if each in current]
        port = int(group.port)
        check = port if group.health_check_port == "traffic-port" else int(group.health_check_port)
        yield Group(
            port=int(listener.port),
            targets=tuple(
                (host.id, f"{host.inside}:{port}")
                for host in hosts
                if admitted(host.model, balancer, port) and admitted(host.model, balancer, check)
            ),
            allowed=allowed(ec2, balancer, int(listener.port)),
            idle_seconds=int(listener.attributes["tcp.idle_timeout.seconds"]),
            drain_seconds=int(group.attributes["deregistration_delay.timeout_seconds"]),
            sticky=group.attributes["stickiness.enabled"] == "true",
            cuts=group.attributes["target_health_state.unhealthy.connection_termination.enabled"] == "true",
            check_protocol=group.health_check_protocol,
            check_port=check,
            check_path=group.health_check_path or "/",
            check_interval=int(group.health_check_interval_seconds),
            check_timeout=int(group.health_check_timeout_seconds),
            check_rise=int(group.healthy_threshold_count),
            check_fall=int(group.unhealthy_threshold_count),
        )


def wanted(site: Site, image: Callable[[], str], current: dict[str, Any]) -> dict[str, Balancer]:
    """The balancers that should be there, from what the API has now, with those of their hosts that are there."""
    balancers: dict[str, Balancer] = {}
    for regions in list(elbv2_backends.values()):
        for elb in list(regions.values()):
            for model in list(elb.load_balancers.values()):
                before = current.get(model.arn)
                if model.type != "network" or (before and before.model is not model):
                    continue
                listeners = tuple(sorted(groups(elb, model, current), key=lambda group: group.port))
                balancers[model.arn] = Balancer(site, image, model.arn, model.name, model.dns_name, listeners, model)
    return balancers
