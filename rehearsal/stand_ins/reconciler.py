# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the stand-ins as the API says they are. It looks every second, works beside, and never holds up a call."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .docker import DockerError

PERIOD = 1.0
AGAIN_AFTER = 5.0  # seconds after a failure

StandIn = Any  # Host or Database: key, kind, container, model, bring(before), remove()
Wanted = Callable[[dict[str, StandIn]], dict[str, StandIn]]


class Reconciler:
    def __init__(self, wanted: list[Wanted], advance: Callable[[], None]) -> None:
        self.wanted = wanted
        self.advance = advance
        self.current: dict[str, StandIn] = {}  # what has been brought about
        self.working: dict[str, Future[None]] = {}
        self.errors: dict[str, tuple[float, str]] = {}
        self.ended = threading.Event()
        self.pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="stand-in")
        self.thread = threading.Thread(target=self.run, name="reconciler", daemon=True)

    def answers(self, model: Any) -> bool:
        """Whether what stands behind a record of the API is there, as the record says."""
        return any(stand_in.model is model and stand_in.is_current for stand_in in list(self.current.values()))

    def describe(self) -> list[dict[str, Any]]:
        """What there is, for /rehearsal/stand-ins."""
        rows = [
            {
                "key": key,
                "kind": stand_in.kind,
                "container": stand_in.container,
                "running": stand_in.running,
                "address": getattr(stand_in, "address", None) or stand_in.endpoint,
            }
            for key, stand_in in list(self.current.items())
        ]
        return rows + [{"key": key, "error": text} for key, (_when, text) in list(self.errors.items())]

    def run(self) -> None:
        said = ""
        while not self.ended.wait(PERIOD):
            try:
                self.look()
            except Exception as error:  # such as a dictionary of moto that changes under us; the next look is soon
                if said != (said := repr(error)):
                    traceback.print_exc()

    def look(self) -> None:
        self.advance()
        wanted: dict[str, StandIn] = {}
        for source in self.wanted:
            wanted.update(source(self.current))
        for key in self.errors.keys() - wanted.keys() - self.current.keys():
            self.errors.pop(key, None)
        for key in wanted.keys() | self.current.keys():
            if key in self.working and not self.working[key].done():
                continue
            if key in self.errors and time.monotonic() < self.errors[key][0] + AGAIN_AFTER:
                continue
            before, now = self.current.get(key), wanted.get(key)
            if now != before:
                self.working[key] = self.pool.submit(self.work, key, before, now)

    def work(self, key: str, before: StandIn | None, now: StandIn | None) -> None:
        try:
            if now is None:
                before.remove()
                self.current.pop(key, None)
            else:
                now.bring(before)
                self.current[key] = now
            self.errors.pop(key, None)
        except DockerError as error:
            print(f"rehearsal: {key}: {error}", file=sys.stderr, flush=True)
            self.errors[key] = (time.monotonic(), str(error))
            if before is None and now is not None:
                self.give_up(now)

    def give_up(self, half_made: StandIn) -> None:
        """What could not be made is taken away, so that the next try starts from nothing."""
        try:
            half_made.remove()
        except DockerError as error:
            print(f"rehearsal: {half_made.key}: {error}", file=sys.stderr, flush=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Looks no more. What is being done goes on, and `finish` waits for it."""
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join()

    def finish(self) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)
