# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the audit trail.

The sources (nginx, the login service, Orthanc, and who deploys) append lines of JSON to a file a day in their spools.
This program

- appends them to a file a day in the trail, and remembers how far it has read. rsyslog would do that, too, but forgets
  the lines that it cannot write to a full disk, and what a collector that goes away has not got;
- gives today's and tomorrow's files blocks of the disk that they have not needed yet: on a disk that images have
  filled, nobody else can take those, and events are still written;
- starts a new file when one has become large; compresses files of former days; removes those that are too old;
- removes a file of a spool once all of it is in the trail;
- sends it on, if there is a collector (sender.py); prints it, if the engine hands its output on;
- answers questions of admins at a socket (answers.py).

    audit keep      what the container runs
    audit note      adds events from the standard input, one a line: who deployed, and what that changed
    audit status    says how much there is, and how much room is left, as JSON
"""

from __future__ import annotations

import ctypes
import errno
import gzip
import json
import multiprocessing
import os
import re
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import answers
import sender
from sender import Sent

SOURCES = ("nginx", "identity", "orthanc", "deployment")
SETTINGS = Path("/etc/audit/settings.json")
HEARTBEAT = Path("/run/audit/alive")
SOCKET = Path("/run/answers/trail.sock")
LOOK_AFTER_SECONDS = 10
AT_REST_SECONDS = 3600
CHUNK = 1 << 18  # longer than any line
KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE: blocks for what will be appended
OUTPUT = 1
ENGINE_SECONDS = 1
NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(\.\d{2})?\.jsonl(\.gz)?")


@dataclass(frozen=True)
class Settings:
    keep_years: int
    file_bytes: int
    reserve_bytes: int
    collector: dict[str, Any]
    prints: bool

    @classmethod
    def read(cls) -> Settings:
        given = json.loads(SETTINGS.read_text())
        sizes = given["file_mb"] << 20, given["reserve_mb"] << 20
        return cls(given["keep_years"], *sizes, given["collector"], given["prints"])


@dataclass(frozen=True)
class Places:
    trail: Path = Path("/var/log/audit")
    spool: Path = Path("/var/spool/audit")

    @property
    def state(self) -> Path:
        """How far the spools are read, and the trail is sent."""
        return self.trail / "state"

    @property
    def sent(self) -> Path:
        return self.state / "sent.json"


def complain(message: str) -> None:
    print(f"audit: {message}", file=sys.stderr, flush=True)


def day_of(path: Path) -> date | None:
    """The day that a file is for; nothing for a file of another kind."""
    found = NAME.fullmatch(path.name)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def dated(folder: Path) -> Iterator[tuple[date, Path]]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        day = day_of(path)
        if day and path.is_file() and not path.is_symlink():
            yield day, path


def years_before(today: date, years: int) -> date:
    try:
        return today.replace(year=today.year - years)
    except ValueError:  # 29 February
        return today.replace(year=today.year - years, day=28)


def reserve(path: Path, size: int, mode: int) -> None:
    """Give a file as many bytes of the disk beyond its end, without making it longer. It is made if it is missing."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, mode)
    try:
        status = os.fstat(handle)
        if status.st_uid == os.getuid() and status.st_mode & 0o777 != mode:
            os.fchmod(handle, mode)  # whatever the umask was
        if status.st_blocks * 512 < status.st_size + size // 2:
            libc = ctypes.CDLL(None, use_errno=True)
            wanted = ctypes.c_int64(status.st_size), ctypes.c_int64(size)
            if libc.fallocate(handle, KEEP_SIZE, *wanted):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(handle)


def reserve_all(places: Places, settings: Settings, today: date) -> None:
    for day in (today, today + timedelta(days=1)):
        for source in SOURCES:
            # The source's own user appends to it; only that container and this one have the folder.
            reserve(places.spool / source / f"{day}.jsonl", settings.reserve_bytes, 0o666)
            (places.trail / source).mkdir(mode=0o700, exist_ok=True)
            reserve(places.trail / source / f"{day}.jsonl", settings.reserve_bytes, 0o600)


def split_large(places: Places, settings: Settings, today: date) -> None:
    """Put aside a file of today that has become large."""
    for source in SOURCES:
        path = places.trail / source / f"{today}.jsonl"
        if path.exists() and path.stat().st_size > settings.file_bytes:
            number = 1 + sum(1 for day, other in dated(path.parent) if day == today and other != path)
            path.rename(path.with_name(f"{today}.{number:02}.jsonl"))


def compress(path: Path) -> None:
    """Replace a file by a compressed one. What was not needed of its reserve is free again."""
    packed = path.with_name(path.name + ".gz")
    partial = path.with_name(path.name + ".partial")
    try:
        with path.open("rb") as plain, partial.open("wb") as file:
            os.fchmod(file.fileno(), 0o400)
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as out:
                shutil.copyfileobj(plain, out, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(packed)
        path.unlink()
    finally:
        partial.unlink(missing_ok=True)


def archive(places: Places, settings: Settings, now: datetime) -> None:
    """Compress what is no longer written to, and remove what is older than has to be kept."""
    today = now.date()
    oldest = years_before(today, settings.keep_years)
    sent = Sent(places.sent)
    for source in SOURCES:
        for day, path in dated(places.trail / source):
            at_rest = now.timestamp() - path.stat().st_mtime > AT_REST_SECONDS
            if day < oldest:
                path.unlink()
            elif path.suffix == ".gz" or not at_rest:
                continue
            elif path.stat().st_size == 0 and day < today:
                path.unlink()
            elif settings.collector and sent.of(path) < path.stat().st_size:
                continue  # the collector does not have it yet
            elif day < today or "." in path.stem:
                compress(path)


def cleaned(line: bytes, source: str, received: str) -> bytes:
    """A line of a spool as it goes into the trail: one JSON object in ASCII, whatever was sent."""
    text = line.decode(errors="replace")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        event = {"unreadable": text}
    return json.dumps({**event, "source": source, "received": received}, separators=(",", ":")).encode() + b"\n"


def append(path: Path, lines: bytes) -> None:
    """All of it or nothing."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        before = os.fstat(handle).st_size
        try:
            written = os.write(handle, lines)
            if written < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fdatasync(handle)
        except OSError:
            os.ftruncate(handle, before)
            raise
    finally:
        os.close(handle)


def print_lines(lines: bytes) -> None:
    """For the engine's log driver. The trail goes on while nobody reads that, as when the engine is updated."""
    with suppress(OSError):
        for line in lines.splitlines(keepends=True):
            while line:
                if not select.select([], [OUTPUT], [], ENGINE_SECONDS)[1]:
                    return
                line = line[os.write(OUTPUT, line[: select.PIPE_BUF]) :]


def print_nothing(lines: bytes) -> None:
    """The trail is not in the engine's logs, too."""


class Positions:
    """How far each file of a spool has been read: by path, its inode and the offset.

    The file has always the same length, as it must be written on a full disk, too.
    """

    LENGTH = 1 << 14

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.read: dict[str, list[int]] = json.loads(path.read_text())
        except (OSError, ValueError):
            self.read = {}

    def of(self, path: Path, status: os.stat_result) -> int:
        inode, offset = self.read.get(str(path), [0, 0])
        return offset if inode == status.st_ino else 0

    def save(self) -> None:
        text = json.dumps(self.read).encode().ljust(self.LENGTH)
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, text, 0)
        finally:
            os.close(handle)


def take(
    places: Places, positions: Positions, path: Path, source: str, now: datetime, hand_on: Callable[[bytes], None]
) -> bool:
    """Bring what is new in a file of a spool into the trail, and hand it on; whether there may be more."""
    received = now.isoformat(timespec="seconds")
    target = places.trail / source / f"{now.date()}.jsonl"
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        offset = positions.of(path, status)
        if status.st_size == offset:
            return False
        if status.st_size < offset:  # nobody does that but somebody who wants to hide something
            cut = cleaned(b'{"action":"spool truncated","outcome":"failure"}', source, received)
            append(target, cut)
            hand_on(cut)
            offset = 0
        file.seek(offset)
        data = file.read(CHUNK)
    end = data.rfind(b"\n") + 1 or (len(data) if len(data) == CHUNK else 0)
    if not end:
        return False
    lines = b"".join(cleaned(line, source, received) for line in data[:end].split(b"\n") if line)
    append(target, lines)
    positions.read[str(path)] = [status.st_ino, offset + end]
    positions.save()
    hand_on(lines)
    return end > CHUNK // 2


def take_all(places: Places, positions: Positions, hand_on: Callable[[bytes], None] = print_nothing) -> None:
    for source in SOURCES:
        for _day, path in dated(places.spool / source):
            while take(places, positions, path, source, datetime.now(UTC), hand_on):
                pass


def unread(places: Places, positions: Positions) -> int:
    """Bytes in the spools that are not in the trail yet."""
    files = [path for source in SOURCES for _day, path in dated(places.spool / source)]
    return sum(max(0, path.stat().st_size - positions.of(path, path.stat())) for path in files)


def clean_spools(places: Places, positions: Positions, today: date) -> None:
    """Remove files of former days that are in the trail. A source that has one open may still add to yesterday's."""
    for source in SOURCES:
        for day, path in dated(places.spool / source):
            status = path.stat()
            at_rest = time.time() - status.st_mtime > AT_REST_SECONDS
            if day < today and at_rest and positions.of(path, status) >= status.st_size:
                path.unlink()
                positions.read.pop(str(path), None)


def trail_files(places: Places) -> Iterator[Path]:
    """Those that are not compressed yet."""
    for source in SOURCES:
        yield from (path for _day, path in dated(places.trail / source) if path.suffix != ".gz")


def waiting(places: Places, settings: Settings) -> int:
    """Bytes of the trail that the collector does not have yet."""
    if not settings.collector:
        return 0
    sent = Sent(places.sent)
    return sum(path.stat().st_size - sent.of(path) for path in trail_files(places))


def look_after(places: Places, positions: Positions, settings: Settings, now: datetime) -> None:
    """All that is due. On a full disk, one thing may fail and the next succeed."""
    steps = (
        lambda: split_large(places, settings, now.date()),
        lambda: reserve_all(places, settings, now.date()),
        lambda: archive(places, settings, now),
        lambda: clean_spools(places, positions, now.date()),
    )
    for step in steps:
        try:
            step()
        except OSError as error:
            complain(f"{error.strerror}: {error.filename or places.trail}")


def keep(places: Places) -> int:
    """Bring events into the trail until told to end."""
    settings = Settings.read()
    places.state.mkdir(mode=0o700, exist_ok=True)
    positions = Positions(places.state / "positions.json")
    positions.save()
    look_after(places, positions, settings, datetime.now(UTC))
    others = [multiprocessing.Process(target=answer, args=(places,), daemon=True)]
    if settings.collector:
        others.append(multiprocessing.Process(target=send, args=(places, settings), daemon=True))
    for other in others:
        other.start()
    ending: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda given, _frame: ending.append(given))
    hand_on = print_lines if settings.prints else print_nothing
    rounds = 0
    complained = ""
    while not ending and all(other.is_alive() for other in others):
        try:
            take_all(places, positions, hand_on)
            complained = ""
        except OSError as error:
            problem = f"events wait in the spool: {error.strerror}: {error.filename or places.trail}"
            if problem != complained:
                complain(problem)
            complained = problem
        rounds += 1
        if rounds % LOOK_AFTER_SECONDS == 0:
            look_after(places, positions, settings, datetime.now(UTC))
        HEARTBEAT.touch()
        time.sleep(1)
    return 0 if ending else 1


def answer(places: Places) -> None:
    """In a process of its own: a question may be about ten years."""
    end_as_usual()
    answers.run(places.trail, SOCKET)


def end_as_usual() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def send(places: Places, settings: Settings) -> None:
    """In a process of its own: a collector may take its time."""
    end_as_usual()
    sender.run(lambda: trail_files(places), places.sent, settings.collector, complain)


def note(places: Places, lines: Iterator[str]) -> None:
    """Add events of whoever may run a command in this container, which is who deploys."""
    path = places.spool / "deployment" / f"{datetime.now(UTC).date()}.jsonl"
    events = [json.dumps(json.loads(line), ensure_ascii=True) for line in lines if line.strip()]
    with path.open("a") as file:
        file.write("".join(f"{event}\n" for event in events))


def status(places: Places) -> dict[str, object]:
    files = [(day, path) for source in SOURCES for day, path in dated(places.trail / source)]
    space = shutil.disk_usage(places.trail)
    return {
        "oldest": str(min(day for day, _path in files)) if files else "",
        "trail_bytes": sum(path.stat().st_size for _day, path in files),
        "unread_bytes": unread(places, Positions(places.state / "positions.json")),
        "queued_bytes": waiting(places, Settings.read()),
        "free_bytes": space.free,
        "disk_bytes": space.total,
    }


def main() -> int:
    os.umask(0o077)
    places = Places()
    command = sys.argv[1:]
    if command == ["keep"]:
        return keep(places)
    if command == ["note"]:
        note(places, iter(sys.stdin))
    elif command == ["status"]:
        print(json.dumps(status(places)))
    else:
        print("usage: audit keep|note|status", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
