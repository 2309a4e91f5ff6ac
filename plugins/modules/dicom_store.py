#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dicom_store
short_description: Send DICOM files to a peer
version_added: 0.1.0
author:
  - The OrthWeb authors (@cellcs)
description:
  - Sends files to a DICOM peer with C-STORE (PS3.7 §9.1.1), over TLS if requested.
  - Proposes a presentation context for each SOP class and transfer syntax of the files, and sends them
    unchanged. Nothing is transcoded.
  - Reports what the peer answered for each instance.
  - Can send over several associations in parallel, continue an interrupted run, report its progress, and write a
    report.
  - A file that makes the peer hang or abort the association is set aside, and the others are sent. If the peer
    accepts
    none, sending ends after a few.
  - Files are read as they are sent, in pieces of one PDU. Memory holds only a record of each instance, 1 to 2 KB
    each.
options:
  paths:
    description:
      - Files, folders (recursively), and patterns, in which C(**) matches across folders.
      - A file that is named must be a DICOM file. Others in a folder, or matched by a pattern, are passed over and
        returned in RV(not_instances).
      - A folder that cannot be read is refused before anything is sent, in a pattern, too.
      - Patterns match hidden files and folders like others, and tell upper from lower case.
      - Links to files are followed. Links to folders, in folders and patterns, and broken links are not, and
        are returned in RV(not_instances) as C(suspect), with a warning. To send them, add the folder that a link
        points to.
      - Two files of one instance (one SOP instance UID) are both sent, with several associations in any order.
    type: list
    elements: path
    required: true
  associations:
    description:
      - Number of parallel associations, 1 to 16. Each takes the next file when it has the answer for its last one, so
        that a large file does not delay the others.
      - A peer that allows fewer gets all files over those that it allows. RV(summary.associations) says how many were
        established.
      - Above 128 pairs of SOP class and transfer syntax, more than an association can have, others follow these.
    type: int
    default: 1
  journal:
    description:
      - A file that records what the peer has acknowledged. What it lists is not sent again, so that an interrupted
        run can be repeated and continues where it stopped.
      - A file counts as unchanged if its size and modification time are, wherever it is now. A changed file is sent
        again.
      - The journal is created if it does not exist, in an existing folder. It has mode 0600 and contains neither
        names
        nor paths, but SOP instance UIDs are patient data, too.
      - Each line is written when the peer has answered, before the next file is sent, so that a run that is killed
        loses none. It is forced to disk once a second. What is lost in a power failure is sent again, which does no
        harm.
      - It lists, too, what was set aside (RV(instances[].set_aside)). The next run sends these one by one after all
        others, and says in how many runs they were set aside before.
      - An incomplete last line is dropped. A file that is not a journal, is damaged, belongs to another peer
        (O(host),
        O(port), O(called_aet)), is in use by another run, or cannot be written, is refused before anything is sent.
      - If it can no longer be written during the run, sending ends, with V(journal_not_written) as
        RV(failure).
    type: path
  progress:
    description:
      - A file that is rewritten every two seconds with the progress in JSON, to watch with C(watch cat FILE).
        Ansible itself shows nothing before the end.
      - It has C(state) (V(sending), then V(ended)), C(count), C(stored), C(already_stored), C(failed),
        C(left), C(bytes), C(bytes_left), C(bytes_per_second), C(seconds), C(estimated_end) and C(updated). One that is
        V(sending) and was not updated for a minute is of a run that was killed.
      - It appears when the headers of all files have been read, on the host that the module runs on.
      - An existing file that this module has not written is refused. It has mode 0644 and contains no names.
    type: path
  report_csv:
    description:
      - A file for a table at the end, with one line for each file, including those that were passed over. The outcome
        (C(stored), C(already stored), C(set aside), C(refused), C(failed), C(not sent), C(passed
        over)), why, its path and its UIDs. In UTF-8, for spreadsheets.
      - It is written completely or not at all, with mode 0600. Paths and UIDs are patient data.
      - An existing file that is not such a report is refused before anything is sent. An earlier report is replaced.
    type: path
  report_html:
    description:
      - A file for an HTML page at the end, for whoever follows up. It shows the counts, what failed, grouped by
        reason,
        and what to do. It needs no other file and no network.
      - Otherwise as O(report_csv).
    type: path
  return_instances:
    description:
      - Which instances to return in RV(instances). They are 0.3 KB each, 33 MB for 100,000, which Ansible keeps
        in memory and passes to its callbacks.
      - With V(none), RV(not_instances) is left empty, too. RV(summary) always counts all.
    type: str
    choices: [all, failed, none]
    default: all
  fail_on:
    description:
      - Whether the task fails when an instance was not stored.
      - With V(never) it does not, and RV(instances) and RV(failure) say what is wrong, so that the caller can decide.
    type: str
    choices: [any, never]
    default: any
attributes:
  check_mode:
    description:
      - Can run in check mode, where it reads the files and the journal and says what it would send. It does not
        connect, and writes neither journal nor progress nor report, but refuses those that the run would refuse.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
extends_documentation_fragment:
  - cellcs.orthweb.dicom_peer
notes:
  - If no association can be established, it is retried O(retries) times, with O(retry_delay_seconds) before each
    retry; at least three times if an association has just been lost, since a peer that crashed may be back
    soon.
  - If an association is lost during an instance, or the peer does not answer for it within
    O(dimse_timeout_seconds), the instance is set aside at once, and the others continue over a new association. Those
    of its series are sent after all others.
  - After all others, an instance that was set aside is sent again alone, if others failed together with it, or if
    O(retries) is set. After a time-out this is done once, otherwise O(retries) times, at most three times, so that a
    file that
    crashes the peer does not do so again and again. An instance that is sent twice is stored once.
  - If three times in a row, or O(retries) + 1 times if that is more, the peer does not answer, an instance that it
    has stored before is sent again. If it does not answer for that either, or there is none, the problem is the peer
    and not the files, and sending ends.
  - An instance that the peer has answered for is not sent again in the same run, whatever the answer was.
  - By the standard, a status A7xx says that the peer is out of resources. Orthanc answers A700 for whatever goes
    wrong
    while it stores, mostly missing required tags. RV(instances[].status_text) says which tags the file
    has, whether others were stored after it, and what to look for in the log.
  - "V(journal_not_written) is another RV(failure) of this module."
seealso:
  - module: cellcs.orthweb.dicom_echo
  - module: cellcs.orthweb.dicom_sample
  - module: cellcs.orthweb.dicomweb_verify
  - name: DICOM PS3.4 Annex B, Storage service class
    description: What the status of a C-STORE response means.
    link: https://dicom.nema.org/medical/dicom/current/output/chtml/part04/chapter_B.html
"""

EXAMPLES = r"""
- name: Send a folder of images to the archive over mutual TLS
  cellcs.orthweb.dicom_store:
    host: archive.hospital.example
    called_aet: ORTHANC
    calling_aet: CT1
    tls: true
    ca_file: /etc/orthweb/pki/ca-bundle.pem
    client_certificate: /etc/orthweb/pki/ct1.crt
    client_key: /etc/orthweb/pki/ct1.key
    paths:
      - /srv/images/study-1
      - /srv/images/**/*.dcm
  delegate_to: localhost

- name: Move an old archive in, and go on where it was when this is run again
  cellcs.orthweb.dicom_store:
    host: archive.hospital.example
    called_aet: ORTHANC
    paths: [/srv/old-archive]
    associations: 4
    retries: 5
    retry_delay_seconds: 30
    journal: /var/lib/orthweb/old-archive.journal
    progress: /var/lib/orthweb/old-archive.progress
    report_csv: /var/lib/orthweb/old-archive.csv
    report_html: /var/lib/orthweb/old-archive.html
    return_instances: failed
  async: 604800 # seconds: a week
  poll: 60
"""

RETURN = r"""
msg:
  description: The result in words. If something failed, the first few instances and why.
  type: str
  returned: always
  sample: ORTHANC at archive.hospital.example:11112 stored 5 of 5 instances.
failure:
  description:
    - What failed first in the order of the files, in one word out of those listed in the notes. None if nothing did.
  type: str
  returned: always
  sample: presentation_context_refused
instances:
  description: Each instance that O(return_instances) asks for, in the order of O(paths), and its outcome.
  type: list
  elements: dict
  returned: always
  contains:
    path:
      description: Its file. Bytes in its name that are not UTF-8 are escaped, as in C(caf\xe9.dcm).
      type: str
    sop_instance_uid:
      description: Its SOP instance UID.
      type: str
    study_instance_uid:
      description: The UID of its study.
      type: str
    status:
      description:
        - Status of the C-STORE response in hexadecimal. None if there was no response.
        - For an instance that was stored already, the one in the journal.
      type: str
    status_text:
      description: The status in words, or why there was no response.
      type: str
    failure:
      description: Why it was not stored, in one word out of those listed in the notes. None if it was.
      type: str
    stored:
      description: Whether the peer acknowledged it in this run, possibly with a warning.
      type: bool
    already_stored:
      description: Whether it was not sent, since the journal says that the peer had acknowledged it.
      type: bool
    set_aside:
      description: Whether the peer cannot take this file. It did not answer for it, and did for others after it.
      type: bool
    not_tried:
      description: Whether it was never sent, since the peer was down or no longer answered.
      type: bool
  sample:
    - path: /srv/images/ct.dcm
      sop_instance_uid: 1.2.826.0.1.3680043.8.498.1
      study_instance_uid: 1.2.826.0.1.3680043.8.498.2
      status: '0000'
      status_text: success (0000)
      failure: null
      stored: true
      already_stored: false
      set_aside: false
      not_tried: false
not_instances:
  description: Files that are not DICOM instances, and links that are not followed, and why. They do not count as
    failures.
  type: list
  elements: dict
  returned: always
  contains:
    path:
      description: The file or link, escaped as in RV(instances).
      type: str
    reason:
      description: Why it was passed over.
      type: str
    suspect:
      description:
        - Whether it may be an instance all the same, damaged or not readable, or a link that instances are behind.
          There is a warning, too.
      type: bool
  sample:
    - path: /srv/images/README
      reason: 'is not a DICOM file: there is no DICM at byte 128 (PS3.10 §7.1)'
      suspect: false
report_csv:
  description: The table that was written. None if there was none to write, or it could not be, with a warning.
  type: str
  returned: always
  sample: /var/lib/orthweb/old-archive.csv
report_html:
  description: The page that was written, as RV(report_csv).
  type: str
  returned: always
  sample: /var/lib/orthweb/old-archive.html
summary:
  description: Counts and rates.
  type: dict
  returned: always
  contains:
    count:
      description:
        - How many instances there are. That is the sum of RV(summary.stored), RV(summary.already_stored) and
          RV(summary.failed), but in check mode.
      type: int
    stored:
      description: How many of them the peer acknowledged in this run.
      type: int
    already_stored:
      description: How many were not sent, since the journal lists them.
      type: int
    failed:
      description: How many the peer did not acknowledge.
      type: int
    set_aside:
      description: How many of them were set aside.
      type: int
    not_tried:
      description: How many of them were never sent.
      type: int
    failures:
      description: The failures by kind, the most frequent first.
      type: list
      elements: dict
      contains:
        failure:
          description: The kind in one word out of those listed in the notes.
          type: str
        status:
          description: The DIMSE status in hexadecimal. None if there was no response.
          type: str
        status_text:
          description: The status in words, or why there was no response.
          type: str
        count:
          description: How many instances failed in this way.
          type: int
    not_instances:
      description: How many files were passed over.
      type: int
    bytes:
      description: Bytes of the data sets that the peer acknowledged in this run.
      type: int
    seconds:
      description: Time from the first connection to the last answer.
      type: float
    bytes_per_second:
      description: RV(summary.bytes) by RV(summary.seconds).
      type: int
    associations:
      description: How many of the O(associations) were established. 0 if nothing had to be sent.
      type: int
  sample:
    count: 5
    stored: 2
    already_stored: 2
    failed: 1
    set_aside: 0
    not_tried: 0
    failures:
      - failure: dimse_status
        status: C000
        status_text: 'refused: the peer cannot understand the data set (C000)'
        count: 1
    not_instances: 1
    bytes: 1049600
    seconds: 0.081
    bytes_per_second: 12958024
    associations: 1
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.libraries import library_problem, silence_libraries
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.tls import tls_problems
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import (
    PEER_ARGUMENTS,
    Peer,
    peer_from_options,
    peer_problems,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.files import shown
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.journal import (
    Acknowledged,
    Journal,
    JournalError,
    rehearse_journal,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.outcome import Sending
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.paths import Collection, collect
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.progress import (
    Progress,
    ProgressError,
    see_that_it_can_be_used,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.report import ReportError, Reports
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.send import (
    announce,
    associations_problem,
    send,
)


def main() -> None:
    """Read the files, send them, and say what became of each."""
    module = AnsibleModule(
        argument_spec={
            **PEER_ARGUMENTS,
            "paths": {"type": "list", "elements": "path", "required": True},
            "associations": {"type": "int", "default": 1},
            "journal": {"type": "path"},
            "progress": {"type": "path"},
            "report_csv": {"type": "path"},
            "report_html": {"type": "path"},
            "return_instances": {"type": "str", "choices": ["all", "failed", "none"], "default": "all"},
            "fail_on": {"type": "str", "choices": ["any", "never"], "default": "any"},
        },
        supports_check_mode=True,
    )
    if problem := library_problem("pynetdicom", "pydicom", "cryptography"):
        module.fail_json(**problem)
    silence_libraries()

    options = module.params
    peer = peer_from_options(options)
    found = collect(options["paths"])
    problems = peer_problems(options) + tls_problems(peer.tls) + [f"paths: {problem}" for problem in found.problems]
    if not options["paths"]:
        problems.append("paths: is empty")
    if problem := associations_problem(options["associations"]):
        problems.append(problem)
    problems += _files_named_twice(options)
    if problems:
        module.fail_json(msg=f"These options cannot be used: {'; '.join(problems)}", problems=problems)

    reports = Reports(*(options[name] and Path(options[name]) for name in ("report_csv", "report_html")))
    try:
        reports.check()
        if module.check_mode:
            journal = options["journal"]
            listed = rehearse_journal(Path(journal), peer) if journal else Acknowledged()
            if options["progress"]:
                see_that_it_can_be_used(Path(options["progress"]))
            sending = announce(peer, found.instances, listed)
            would = len(sending.outcomes) - len(sending.already_stored)
            sentence, changed = f"{would} of {len(sending.outcomes)} instances would be sent to {peer}.", bool(would)
        else:
            sending = _send(module, peer, found)
            sentence, changed = sending.sentence, bool(sending.stored)
    except JournalError as error:
        module.fail_json(msg=f"Nothing was sent. journal: {error}", problems=[f"journal: {error}"])
    except ProgressError as error:
        module.fail_json(msg=f"Nothing was sent. progress: {error}", problems=[f"progress: {error}"])
    except ReportError as error:
        module.fail_json(msg=f"Nothing was sent. {error}", problems=[str(error)])
    written = {} if module.check_mode else _write(module, reports, sending, found)

    suspect = [skipped for skipped in found.skipped if skipped.suspect]
    if suspect:
        module.warn(
            f"{len(suspect)} files or links that may be DICOM instances were passed over, the first of them "
            f"{shown(suspect[0].path)}: {suspect[0].reason}"
        )
    asked_for = {"all": sending.outcomes, "failed": sending.failed, "none": ()}[options["return_instances"]]
    result = {
        "changed": changed,
        "msg": sentence,
        "failure": sending.failed[0].failure if sending.failed else None,
        "instances": [outcome.to_result() for outcome in asked_for],
        "not_instances": [skipped.to_result() for skipped in found.skipped if options["return_instances"] != "none"],
        "report_csv": written.get("report_csv"),
        "report_html": written.get("report_html"),
        "summary": {**sending.summary(), "not_instances": len(found.skipped)},
    }
    if sending.failed and options["fail_on"] == "any":
        module.fail_json(**result)
    module.exit_json(**result)


def _files_named_twice(options: dict[str, Any]) -> list[str]:
    """Return what is wrong with the files to write, if two of them are one."""
    problems: list[str] = []
    named: dict[str, str] = {}
    for option in ("journal", "progress", "report_csv", "report_html"):
        if (path := options[option]) and (other := named.setdefault(path, option)) != option:
            problems.append(f"{option}: is the same file as {other}")
    return problems


def _send(module: AnsibleModule, peer: Peer, found: Collection) -> Sending:
    """Send what is not in the journal, and note both what is acknowledged and how far it is."""
    options = module.params
    settings: dict[str, Any] = {"associations": options["associations"]}
    with ExitStack() as opened:
        listed = Acknowledged()
        if options["journal"]:
            journal = opened.enter_context(Journal.open(Path(options["journal"]), peer))
            listed = journal.acknowledged
            settings |= {"acknowledged": listed, "record": journal.record, "record_aside": journal.record_aside}
        progress = None
        if options["progress"]:
            to_send = [instance for instance in found.instances if listed.status_of(instance) is None]
            progress = opened.enter_context(
                Progress(Path(options["progress"]), to_send, len(found.instances) - len(to_send))
            )
            settings["observe"] = progress.count
        sending = send(peer, found.instances, **settings)
    for problem in (sending.journal_problem, progress and progress.problem):
        if problem:
            module.warn(problem)
    return sending


def _write(module: AnsibleModule, reports: Reports, sending: Sending, found: Collection) -> dict[str, str]:
    """Write the reports, and return those that are there. Nothing is sent again because of one that is not."""
    problems = reports.write(sending, found.skipped)
    for problem in problems.values():
        module.warn(problem)
    return {
        option: module.params[option]
        for option in ("report_csv", "report_html")
        if module.params[option] and option not in problems
    }


if __name__ == "__main__":
    main()
