# SPDX-License-Identifier: GPL-3.0-or-later
"""One definition of a container, in two languages."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.cellcs.orthweb.plugins.filter.containers import (
    compose_file,
    compose_service,
    enforceable,
)

SERVICE = {
    "name": "clinic-orthanc",
    "image": "orthweb/orthanc:1",
    "user": "8042:8042",
    "networks": [{"name": "clinic-archive", "links": ["clinic-nginx:postgres.clinic.example"]}, {"name": "clinic-db"}],
    "dns_servers": ["127.0.0.1"],
    "published_ports": ["104:104", "192.0.2.1:443:443"],
    "volumes": ["clinic-orthanc:/var/lib/orthanc", "/etc/orthweb/clinic/orthanc:/etc/orthanc:ro"],
    "init": True,
    "read_only": True,
    "memory": "1536m",
    "pids_limit": 512,
    "ulimits": ["data:1000:2000"],
    "cap_drop": ["ALL"],
    "stop_timeout": 60,
    "restart_policy": "unless-stopped",
}


def test_a_service_for_compose() -> None:
    assert compose_service(SERVICE, {"/etc/orthweb/clinic/orthanc": "./orthanc"}) == {
        "container_name": "clinic-orthanc",
        "image": "orthweb/orthanc:1",
        "user": "8042:8042",
        "networks": {"clinic-archive": {}, "clinic-db": {}},
        "links": ["clinic-nginx:postgres.clinic.example"],
        "dns": ["127.0.0.1"],
        "ports": ["0.0.0.0:104:104", "192.0.2.1:443:443"],
        "volumes": ["clinic-orthanc:/var/lib/orthanc", "./orthanc:/etc/orthanc:ro"],
        "init": True,
        "read_only": True,
        "mem_limit": "1536m",
        "pids_limit": 512,
        "ulimits": {"data": {"soft": 1000, "hard": 2000}},
        "cap_drop": ["ALL"],
        "stop_grace_period": "60s",
        "restart": "unless-stopped",
    }


def test_a_log_driver_for_compose() -> None:
    composed = compose_service({"log_driver": "awslogs", "log_options": {"mode": "non-blocking"}}, {})
    assert composed == {"logging": {"driver": "awslogs", "options": {"mode": "non-blocking"}}}


def test_what_compose_would_lack_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="'privileged' is not supported"):
        compose_service({"privileged": False}, {})


def test_limits_that_the_engine_would_discard_are_left_out() -> None:
    enforces = {"memory": False, "memory_swap": False, "pids_limit": True}
    assert set(SERVICE) - set(enforceable(SERVICE, enforces)) == {"memory"}
    assert enforceable(SERVICE, {}) == SERVICE


def test_a_compose_file() -> None:
    database = {
        "service": {
            "container_name": "clinic-postgresql",
            "networks": {"clinic-db": {}},
            "volumes": ["data:/data", "clinic-postgresql-socket:/run/postgresql"],
            "labels": {"price": "5$"},
        },
        "networks": [{"name": "clinic-db", "internal": True, "driver_options": {"inhibit": "true"}}],
        "volumes": {"clinic-postgresql-socket": {"driver_opts": {"type": "tmpfs"}}},
        "once": {"postgresql-account": {"entrypoint": ["psql"]}},
    }
    archive = {
        "service": compose_service(SERVICE, {"/etc/orthweb/clinic/orthanc": "./orthanc"}),
        "networks": [{"name": "clinic-archive"}],
    }
    file = compose_file("clinic", [archive, database])
    assert file["name"] == "clinic"
    assert list(file["services"]) == ["orthanc", "postgresql", "postgresql-account"]
    assert file["services"]["orthanc"]["depends_on"] == {
        "postgresql-account": {"condition": "service_completed_successfully"}
    }
    assert "depends_on" not in file["services"]["postgresql"]
    assert file["services"]["postgresql"]["labels"] == {"price": "5$$"}
    assert file["networks"] == {
        "clinic-archive": {"name": "clinic-archive"},
        "clinic-db": {"name": "clinic-db", "internal": True, "driver_opts": {"inhibit": "true"}},
    }
    assert file["volumes"] == {
        "clinic-orthanc": {"name": "clinic-orthanc"},
        "data": {"name": "data"},
        "clinic-postgresql-socket": {"name": "clinic-postgresql-socket", "driver_opts": {"type": "tmpfs"}},
    }
