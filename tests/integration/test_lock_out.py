# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock-out of addresses, against somebody who has many of them and many names. That of accounts is in
test_login.py.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from support.admission import Admission
from support.login import log_in
from support.stack import Stack

FLOOD = 400


def test_an_address_is_locked_and_accounts_are_not(stack: Stack, admission: Admission) -> None:
    """Whatever the names are: those that nobody has, and those of others."""
    assert admission.ask(("203.0.113.100", (f"nobody{n}", "guess")) for n in range(10)) == ["401"] * 10
    assert admission.one("203.0.113.100", ("nobody", "guess")) == "403 locked"
    assert admission.one("203.0.113.100", stack.login_of("lena")) == "403 locked", "with the right password"
    assert admission.one("203.0.113.101", stack.login_of("lena")) == "204", "from another address"
    assert admission.ask((f"203.0.113.{n}", ("no-such-account", "guess")) for n in range(12)) == ["401"] * 12


def test_a_locked_address_lets_those_in_who_came_from_it_before(stack: Stack, admission: Admission) -> None:
    """Behind one NAT. Who guesses at such an account is stopped by its own lock."""
    name, password = stack.login_of("lena")
    assert admission.one("203.0.113.110", (name, password)) == "204"
    assert admission.ask(("203.0.113.110", (f"nobody{n}", "guess")) for n in range(10)) == ["401"] * 10
    assert admission.one("203.0.113.110", (name, password)) == "204"
    assert admission.one("203.0.113.110", (name, "guess")) == "401"
    assert admission.one("203.0.113.110", stack.login_of("leo")) == "403 locked"


def test_who_tries_passwords_keeps_nobody_else_waiting(stack: Stack, admission: Admission) -> None:
    """From hundreds of addresses: passwords of programs are checked by other processes than people's."""
    flood = [(f"198.18.{n // 250}.{n % 250}", (f"nobody{n}", "guess")) for n in range(FLOOD)]
    logins = 0
    with ThreadPoolExecutor() as beside:
        answers = beside.submit(admission.ask, flood)
        while not answers.done():
            log_in(stack, stack.login_of("rita"))
            logins += 1
    assert set(answers.result()) <= {"401", "403 nobody"}, "the latter if it took too long"
    assert logins > 5, "they wait until the last of them is through"


def test_an_ipv6_client_is_its_network(admission: Admission) -> None:
    """Who has one address has 2^64 of them."""
    addresses = [
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8:0:0:3::1",
        "2001:db8:0:0:ffff:ffff:ffff:ffff",
        "2001:db8::a:0:0:1",
    ]
    assert admission.ask((address, (f"nobody{n}", "guess")) for n, address in enumerate(addresses * 2)) == ["401"] * 10
    assert admission.one("2001:db8::77", ("nobody", "guess")) == "403 locked"
    assert admission.one("2001:db8:0:1::1", ("nobody", "guess")) == "401"
    assert admission.one("::2001:db8:0:0:1", ("nobody", "guess")) == "401"
