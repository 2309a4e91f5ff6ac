# SPDX-License-Identifier: GPL-3.0-or-later
"""One definition of a container, for community.docker.docker_container and for `docker compose` alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

# Words of community.docker.docker_container, and those of the Compose specification that say the same.
WORDS = {
    "name": "container_name",
    "image": "image",
    "command": "command",
    "user": "user",
    "dns_servers": "dns",
    "volumes": "volumes",
    "env": "environment",
    "sysctls": "sysctls",
    "init": "init",
    "read_only": "read_only",
    "tmpfs": "tmpfs",
    "shm_size": "shm_size",
    "memory": "mem_limit",
    "memory_swap": "memswap_limit",
    "pids_limit": "pids_limit",
    "cap_drop": "cap_drop",
    "security_opts": "security_opt",
    "restart_policy": "restart",
    "healthcheck": "healthcheck",
    "labels": "labels",
}
COMPLETED = "service_completed_successfully"


def enforceable(service: dict[str, Any], enforces: dict[str, bool]) -> dict[str, Any]:
    """The definition without the limits that an engine would discard.

    :param enforces: by limit, whether the engine can hold a container to it
    """
    return {word: value for word, value in service.items() if enforces.get(word, True)}


def compose_service(service: dict[str, Any], folders: dict[str, str]) -> dict[str, Any]:
    """The same container for `docker compose`.

    :param folders: by folder of the host that is mounted, the folder beside the compose file that stands for it
    """
    composed: dict[str, Any] = {}
    for word, value in service.items():
        if word == "networks":
            composed["networks"] = {network["name"]: {} for network in value}
            if links := [link for network in value for link in network.get("links", [])]:
                composed["links"] = links
        elif word == "stop_timeout":
            composed["stop_grace_period"] = f"{value}s"
        elif word == "published_ports":  # community.docker takes all IPv4 addresses for none
            composed["ports"] = [port if port.count(":") == 2 else f"0.0.0.0:{port}" for port in value]
        elif word == "volumes":
            composed["volumes"] = [_volume(each, folders) for each in value]
        elif word == "ulimits":
            limits = (limit.split(":") for limit in value)
            composed["ulimits"] = {name: {"soft": int(soft), "hard": int(hard)} for name, soft, hard in limits}
        elif word == "log_driver":
            composed["logging"] = {"driver": value, "options": service["log_options"]}
        elif word == "log_options":
            pass  # with the driver
        elif word in WORDS:
            composed[WORDS[word]] = value
        else:
            raise AnsibleFilterError(f"compose_service: {word!r} is not supported here. Supported: {', '.join(WORDS)}.")
    return composed


def compose_file(stack: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """A whole compose file.

    :param stack: name of the stack, which names of containers begin with
    :param parts: what each role publishes: ``service`` (as `compose_service` gives it), ``networks`` (each with
        ``name``, ``internal`` and ``driver_options``), and maybe ``volumes`` (options of Docker's driver, by name) and
        ``once`` (further services, by name, that end)
    """
    services: dict[str, Any] = {
        part["service"]["container_name"].removeprefix(f"{stack}-"): part["service"] for part in parts
    }
    networks: dict[str, Any] = {}
    volumes: dict[str, Any] = {}
    for part in parts:
        service, once = part["service"], part.get("once", {})
        # Whoever is in a network of its works with it, and waits for what has to be done once.
        for name, other in services.items():
            if once and other is not service and other.get("networks", {}).keys() & service["networks"].keys():
                waits = {one: {"condition": COMPLETED} for one in once}
                services[name] = {**other, "depends_on": {**other.get("depends_on", {}), **waits}}
        services |= once
        for network in part["networks"]:
            networks[network["name"]] = {
                "name": network["name"],
                **({"internal": True} if network.get("internal") else {}),
                **({"driver_opts": network["driver_options"]} if network.get("driver_options") else {}),
            }
        volumes |= {name: {"name": name, **options} for name, options in part.get("volumes", {}).items()}
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            if not source.startswith((".", "/")):
                volumes.setdefault(source, {"name": source})
    file = {"name": stack, "services": services, "networks": networks, "volumes": volumes}
    return {key: _escaped(value) for key, value in file.items()}


def _escaped(value: Any) -> Any:
    """Compose puts variables into texts: a dollar sign that is one is written twice."""
    if isinstance(value, dict):
        return {key: _escaped(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _volume(volume: str, folders: dict[str, str]) -> str:
    source, _colon, rest = volume.partition(":")
    return f"{folders.get(source, source)}:{rest}"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"enforceable": enforceable, "compose_service": compose_service, "compose_file": compose_file}
