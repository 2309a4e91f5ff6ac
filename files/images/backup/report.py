# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is, for people and for Prometheus, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

KINDS = {"full": "full", "diff": "differential", "incr": "incremental"}
SILENT_SECONDS = 300


def parsed(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def alarms(status: Mapping[str, Any], limits: Mapping[str, int], now: datetime) -> list[str]:
    """Sentences, each for one thing that is wrong.

    :param status: as the program writes it
    :param limits: ``max_age_hours`` of the newest backup, ``wal_minutes`` that a WAL file waits to be archived
    """
    return list(_alarms(status, limits, now))


def _alarms(status: Mapping[str, Any], limits: Mapping[str, int], now: datetime) -> Iterator[str]:
    written = parsed(status["written"])
    if written and now - written > timedelta(seconds=SILENT_SECONDS):
        yield f"The backup program has not written its status since {_minute(written)}: docker logs says why."
    waiting = status["wal"]
    if waiting["oldest_seconds"] > limits["wal_minutes"] * 60:
        yield (
            f"Archiving is stuck: {waiting['files']} WAL files ({_size(waiting['bytes'])}) wait, the oldest for "
            f"{waiting['oldest_seconds'] // 60} minutes. PostgreSQL keeps them until the disk is full."
        )
    for name, repository in status["repositories"].items():
        newest = max((parsed(last["stop"]) for last in repository["last"].values()), default=None)  # type: ignore[type-var]
        since = newest or parsed(repository["since"]) or now
        hours = (now - since) / timedelta(hours=1)
        if hours > limits["max_age_hours"]:
            yield (
                f"Repository {name}: the newest backup is {hours:.0f} hours old, more than {limits['max_age_hours']}."
                if newest
                else f"Repository {name}: there is no backup yet, {hours:.0f} hours after it was declared."
            )
        if repository["absent_wal"]:
            yield (
                f"Repository {name}: WAL is missing from {repository['absent_wal'][0]} on "
                f"({len(repository['absent_wal'])} segments). A restore ends there until the next backup is made."
            )
    if (drill := status.get("drill")) and (wrong := wrong_in(drill)):
        yield f"The drill of {drill['time'][:16]} could not restore everything: {wrong}"
    if status["error"] and not status["prepared"]:
        yield f"The repositories cannot be used: {status['error']}"


def wrong_in(drill: Mapping[str, Any]) -> str:
    """What a drill has found; nothing if it has passed."""
    if "failed" in drill:
        return str(drill["failed"])
    counts = [f"{drill[what]} {what}" for what in ("missing", "damaged") if drill[what]]
    return "; ".join([*counts, *drill["named"], *drill["indexes"]])


def drill_lines(drill: Mapping[str, Any]) -> Iterator[str]:
    yield f"Last drill: {drill['time'][:16]}, {drill['seconds']} s"
    if "failed" not in drill:
        counts = ", ".join(f"{drill[what]} {what}" for what in ("equal", "missing", "damaged", "unverified"))
        yield f"  backup {drill['backup']} from {drill['repository']}, as far as {drill['lsn']}: {counts}"
    wrong = wrong_in(drill)
    yield f"  NOT PASSED: {wrong}" if wrong else "  everything could be restored"


def page(status: Mapping[str, Any], said: list[str], now: datetime) -> str:
    """One page for a person."""
    lines = [f"Backups of {status['stack']}, {_minute(now)} UTC", ""]
    for name, repository in status["repositories"].items():
        lines.append(f"Repository {name}")
        if not repository["last"]:
            lines.append("  no backup yet")
        for kind, last in repository["last"].items():
            stop = parsed(last["stop"])
            age = f"{(now - stop) / timedelta(hours=1):.1f} hours ago" if stop else ""
            lines.append(
                f"  {KINDS[kind]:<13} {last['stop'][:16]}  {age}, {_size(last['stored'])} of {_size(last['size'])}, "
                f"{last['seconds']} s, {last['label']}"
            )
        if repository["error"]:
            lines.append(f"  last error    {repository['error']}")
    lines += [
        "",
        f"Newest restorable moment: {status['restorable'] or 'none'}",
        f"WAL not archived yet: {status['wal']['files']} files ({_size(status['wal']['bytes'])})",
        *(drill_lines(status["drill"]) if status.get("drill") else ["No drill yet."]),
        "",
        *([f"ALARM: {sentence}" for sentence in said] or ["No alarms."]),
    ]
    return "\n".join(lines) + "\n"


def metrics(status: Mapping[str, Any], said: list[str]) -> str:
    """For the textfile collector of Prometheus' node exporter."""
    stack = status["stack"]
    lines = []

    def add(name: str, value: float, **labels: str) -> None:
        found = ",".join(f'{key}="{text}"' for key, text in {"stack": stack, **labels}.items())
        lines.append(f"orthweb_backup_{name}{{{found}}} {value:.0f}")

    for name, repository in status["repositories"].items():
        for kind, last in repository["last"].items():
            labels = {"repository": name, "type": kind}
            add("last_success_timestamp_seconds", _seconds(last["stop"]), **labels)
            add("last_size_bytes", last["size"], **labels)
            add("last_stored_bytes", last["stored"], **labels)
            add("last_duration_seconds", last["seconds"], **labels)
        add("absent_wal_segments", len(repository["absent_wal"]), repository=name)
        add("failures", repository["failures"], repository=name)
    if drill := status.get("drill"):
        add("drill_timestamp_seconds", _seconds(drill["time"]))
        add("drill_duration_seconds", drill["seconds"])
        add("drill_passed", not wrong_in(drill))
        for what in ("equal", "missing", "damaged", "unverified"):
            if what in drill:
                add("drill_instances", drill[what], result=what)
    add("restorable_timestamp_seconds", _seconds(status["restorable"]))
    add("wal_waiting_bytes", status["wal"]["bytes"])
    add("wal_waiting_oldest_seconds", status["wal"]["oldest_seconds"])
    add("alarms", len(said))
    add("status_timestamp_seconds", _seconds(status["written"]))
    return "\n".join(sorted(lines)) + "\n"


def _seconds(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0


def _minute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _size(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
