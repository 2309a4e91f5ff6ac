# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import multiprocessing

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.errors import LockedError
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.layout import Layout
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.lock import locked
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.ownership import Ownership


def run_at_once(pki, start, results, entries):
    start.wait()
    results.put(pki.run(*entries)["changed"])


def test_two_runs_at_once_make_one_pki(pki, server, client):
    entries = [server, *({**client, "name": f"ct-{number}"} for number in range(8))]
    fork = multiprocessing.get_context("fork")
    start, results = fork.Barrier(3), fork.Queue()
    runs = [fork.Process(target=run_at_once, args=(pki, start, results, entries)) for _unused in range(3)]
    for run in runs:
        run.start()
    assert sorted(results.get(timeout=60) for _unused in runs) == [False, False, True]
    for run in runs:
        run.join()
    assert all(pki.verify(entry["name"]) == "OK" for entry in entries)
    assert pki.run(*entries)["changed"] is False


def test_writer_waits_for_writer_and_reader_for_writer(tmp_path):
    layout = Layout(tmp_path)
    with locked(layout, Ownership(), writing=True):
        for writing in (True, False):
            lock = locked(layout, Ownership(), writing=writing, timeout_seconds=0.1)
            with pytest.raises(LockedError, match=r"\.lock: another run has held it for 0\.1 seconds"), lock:
                raise AssertionError("two at once")
    with locked(layout, Ownership(), writing=False), locked(layout, Ownership(), writing=False):
        pass


def test_reader_creates_nothing(tmp_path):
    with locked(Layout(tmp_path / "pki"), Ownership(), writing=False):
        pass
    assert list(tmp_path.iterdir()) == []
