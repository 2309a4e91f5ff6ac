# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real hosts and one database behind a load balancer: what breaks, and what is acknowledged meanwhile."""

from __future__ import annotations

import copy
import random
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from pydicom.uid import generate_uid
from requests.adapters import HTTPAdapter

from rehearsal.controller import Rehearsal
from support.images import associate, ct_image, fetch, is_stored
from support.login import anonymous, soon, status, submit
from support.stack import Stack
from support.two_hosts import Machine, balanced, fail_over, host_of, modalities, nothing_is_lost, on_host, wait_until

pytestmark = pytest.mark.long
VARIABLES = """
orthweb_instance_count: 2
orthweb_users:
  - {name: admin, role: admin}
  - {name: rita, role: radiologist}
  - {name: lars, role: reader}
# So that the admin can read by name and password what was acknowledged.
orthweb_second_factor_roles: []
"""
AWAY = 60  # seconds, as on AWS
BOTH = ("healthy", "healthy")


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(tmp_path_factory.mktemp("two"), port=26340, stack="pair")
    (rehearsal.folder / "variables.yml").write_text(VARIABLES)
    try:
        rehearsal.start("--registry")
        deployed = rehearsal.play("deploy", "--extra-vars", f"@{rehearsal.folder}/variables.yml")
        assert deployed.code == 0, deployed.errors
        yield rehearsal
    finally:
        rehearsal.stop()


@pytest.fixture(scope="module")
def stack(rehearsal: Rehearsal) -> Stack:
    return balanced(rehearsal)


def associations(rehearsal: Rehearsal) -> list[int]:
    """How many each host has had."""
    said = [on_host(host, "docker", "logs", f"{rehearsal.stack}-nginx") for host in rehearsal.host_containers()]
    return [len(re.findall('"calling":"WORKSTATION"', each)) for each in said]


def test_it_is_deployed_and_both_hosts_get_associations(rehearsal: Rehearsal, stack: Stack) -> None:
    """Acceptance has passed at the balancer's address, and a second run changes nothing."""
    wait_until(rehearsal, BOTH, 60)
    before = associations(rehearsal)
    for _number in range(4):
        associate(stack).release()
    # A host writes a line when an association has ended.
    soon(lambda: associations(rehearsal) == [number + 2 for number in before], f"2 more at each host than {before}")


def test_both_write_at_once(rehearsal: Rehearsal, stack: Stack) -> None:
    """The database refuses one of two transactions that cannot be brought into an order. Orthanc repeats it."""
    before = conflicts(rehearsal)
    with modalities(stack, 4, pause=0) as sent:
        time.sleep(20)
    print(nothing_is_lost(stack, sent), f"{conflicts(rehearsal) - before} conflicts")
    assert [status for each in sent for status in each.refused] == []
    assert conflicts(rehearsal) > before, "They were never in each other's way: this run proves nothing"


def conflicts(rehearsal: Rehearsal) -> int:
    """Lines about them in Orthanc's logs."""
    said = [on_host(host, "docker", "logs", f"{rehearsal.stack}-orthanc") for host in rehearsal.host_containers()]
    return sum(len(re.findall("(?i)serializ", each)) for each in said)


def test_an_instance_that_is_sent_to_both_at_once_is_there_once(stack: Stack) -> None:
    both, study = [associate(stack), associate(stack)], generate_uid()  # the balancer takes turns
    with ThreadPoolExecutor() as beside:
        for _number in range(25):
            image = ct_image(study)
            assert list(beside.map(is_stored, both, [image, copy.deepcopy(image)])) == [True, True]
            assert fetch(stack, image.SOPInstanceUID).PixelData == image.PixelData
    for each in both:
        each.release()


class From(HTTPAdapter):
    """HTTP from an address in 127/8: to the balancer another client, which it sends to the next host."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, source_address=(self.address, 0), **options)


def at_each_host(rehearsal: Rehearsal, stack: Stack) -> list[requests.Session]:
    """Somebody at one host, and somebody at the other, neither logged in."""
    people, hosts = [anonymous(stack), anonymous(stack)], set()
    for session in people:
        address = f"127.1.{random.randrange(256)}.{random.randrange(1, 255)}"
        session.mount("https://", From(address))
        assert status(session, stack) == 401
        hosts.add(host_of(rehearsal, address))
    assert len(hosts) == 2
    return people


def test_a_session_of_one_host_is_valid_at_the_other(rehearsal: Rehearsal, stack: Stack) -> None:
    first, second = at_each_host(rehearsal, stack)
    assert submit(first, stack, stack.login_of("rita")).json()["result"] == 1
    second.cookies.update(first.cookies)
    assert status(second, stack) == 200
    second.get(f"{stack.portal}/auth/?logout=1", timeout=30)
    soon(lambda: status(first, stack) == 401, "it was ended at the other host, and goes on here")


def test_wrong_passwords_at_both_lock_an_account(rehearsal: Rehearsal, stack: Stack) -> None:
    first, second = at_each_host(rehearsal, stack)
    for session in (first, second) * 5:
        assert submit(session, stack, ("lars", "guess")).status_code == 401
        time.sleep(1.1)  # to the hosts it is one address, of which those of one second count as one
    for session in at_each_host(rehearsal, stack):
        locked = submit(session, stack, stack.login_of("lars"))
        assert locked.status_code == 401 and stack.cookie not in locked.cookies
    assert submit(first, stack, stack.login_of("rita")).status_code == 200, "others are not"


def started(rehearsal: Rehearsal) -> list[str]:
    """When the Orthanc of each host was."""
    asked = ["docker", "inspect", "--format", "{{.State.StartedAt}}", f"{rehearsal.stack}-orthanc"]
    return [on_host(host, *asked) for host in rehearsal.host_containers()]


def test_a_change_comes_to_one_host_after_the_other(rehearsal: Rehearsal, stack: Stack) -> None:
    """Associations end by themselves, and the next ones go to the other host."""
    before = started(rehearsal)
    with modalities(stack, 4, pause=0.5, images=50) as sent:
        time.sleep(5)
        changed = rehearsal.play(
            "deploy", "-e", f"@{rehearsal.folder}/variables.yml", "-e", '{"orthanc_config": {"ConcurrentJobs": 3}}'
        )
    assert changed.code == 0, changed.errors
    print(f"{changed.seconds:.0f} s;", nothing_is_lost(stack, sent))
    assert all(now != then for now, then in zip(started(rehearsal), before, strict=True)), "not each was restarted"
    assert [(each.cut, each.refused) for each in sent] == [(0, [])] * len(sent)
    wait_until(rehearsal, BOTH, 10)


def test_a_host_that_dies_takes_no_image_along(rehearsal: Rehearsal, stack: Stack) -> None:
    host = Machine(rehearsal, rehearsal.host_containers()[0])
    address = host.address
    with modalities(stack, 4, pause=0.3) as sent:
        time.sleep(5)
        host.loses_power()
        out = wait_until(rehearsal, ("healthy", "unhealthy"), 90)
        time.sleep(5)
        host.starts(address)
        back = wait_until(rehearsal, BOTH, 180)
        counts = [len(each.acknowledged) for each in sent]
        time.sleep(5)
    print(f"out of use after {out:.0f} s, back {back:.0f} s after its start;", nothing_is_lost(stack, sent))
    assert all(len(each.acknowledged) > count for each, count in zip(sent, counts, strict=True)), "some do not go on"


def test_the_database_fails_over(rehearsal: Rehearsal, stack: Stack) -> None:
    """Nobody restarts anything. What was acknowledged was committed."""
    with modalities(stack, 4, pause=0.3) as sent:
        time.sleep(5)
        fail_over(rehearsal, AWAY)
        began, counts = time.monotonic(), [len(each.acknowledged) for each in sent]
        while any(len(each.acknowledged) < count + 5 for each, count in zip(sent, counts, strict=True)):
            assert time.monotonic() < began + 120, [len(each.acknowledged) for each in sent]
            time.sleep(0.2)
        print(f"{time.monotonic() - began:.0f} s after the standby had the name, all have stored again")
    print(nothing_is_lost(stack, sent))
    wait_until(rehearsal, BOTH, 60)
