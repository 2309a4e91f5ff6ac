# SPDX-License-Identifier: GPL-3.0-or-later
"""One stack from the empty account to the empty account. Each step is done once, when it is first asked for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.controller_copy import AccountCopy
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.survey import Survey, survey
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state import folder
from ansible_collections.cellcs.orthweb.plugins.module_utils.controller_state.archive import Entry

from support.authority import Authority

from . import disturb
from .account import REGION, Account, Run
from .listing import TAG, Thing, details, raw, tags, things

DICOM, PORTAL, CONTROLLER = "198.51.100.0/24", "203.0.113.0/24", "192.0.2.10/32"
RANGES = {
    "orthweb_dicom_ranges": [DICOM],
    "orthweb_portal_ranges": [PORTAL],
    "orthweb_controller_ranges": [CONTROLLER],
}
MORE_TAGS = {"team": "imaging"}
ADDRESSES = ["it@clinic.example", "night@clinic.example"]
SETTINGS = {**RANGES, "orthweb_alarm_addresses": ADDRESSES}
# aws_backup_plan: of a stack that has one, with the policies for it.
NOTHING_KEPT = {"orthweb_rds_final_snapshot": False, "orthweb_audit_cloudwatch_kept": False, "aws_backup_plan": True}
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary-of-the-organisation"
COPIES = "arn:aws:backup:eu-west-1:123456789012:backup-vault:copies"
# What calls that nothing else does, and a change of what can be changed.
VARIANT = {
    "orthweb_instance_count": 1,
    "orthweb_balancer": "present",
    "orthweb_connect_by": "systems_manager",
    "aws_network_interface_endpoints": ["secretsmanager"],
    "orthweb_permissions_boundary": BOUNDARY,
    "aws_backup_plan": True,
}
CHANGED = {
    **VARIANT,
    "orthweb_connect_by": "public",
    "orthweb_balancer": "absent",
    "__aws_balancer_pause_seconds": 1,
    "orthweb_tags": MORE_TAGS,
    "orthweb_portal_ranges": ["203.0.113.0/25"],
    "orthweb_alarm_addresses": [],
    "aws_database_backup_days": 14,
    "aws_backup_days": 14,
    "aws_backup_copy_to": COPIES,
    "aws_backup_schedule": "cron(30 7 ? * * *)",
    "aws_database_user": "archive",
}
# What a deployment makes.
MADE = Counter(
    vpcs=1,
    subnets=4,
    internet_gateways=1,
    route_tables=2,
    vpc_endpoints=1,
    network_acls=1,
    security_groups=3,
    load_balancers=1,
    target_groups=3,
    key_pairs=1,
    instances=2,
    volumes=2,
    addresses=2,
    flow_logs=1,
    kms_keys=1,
    secrets=3,
    iam_roles=2,
    instance_profiles=1,
    log_groups=4,
    db_instances=1,
    db_subnet_groups=1,
    db_parameter_groups=1,
    alarms=10,
    topics=1,
    event_subscriptions=1,
)
# What is in the controller's folder, as configure.yml would have put it there.
SECRET = "only-the-controller-knows"
CERTIFICATE_DAYS = 90


@dataclass(frozen=True)
class Step:
    """One step in the life of an account.

    :ivar things: what was in the account afterwards
    :ivar raw: the same as AWS describes it
    :ivar more: what only this step has
    """

    run: Run
    things: set[Thing]
    raw: dict[str, list[Any]]
    more: dict[str, Any] = field(default_factory=dict)


def only(items: Iterable[Any]) -> Any:
    (one,) = items
    return one


def own(step: Step, kind: str) -> list[dict[str, Any]]:
    """What is ours of an EC2 kind, as AWS describes it."""
    return [each for each in step.raw[kind] if tags(each.get("Tags")).get(TAG) == "orthweb"]


def named(step: Step, kind: str, name: str) -> dict[str, Any]:
    return only(each for each in own(step, kind) if tags(each["Tags"])["Name"] == name)


def once(step: Callable[[Any], Any]) -> Any:
    """A property that is worked out once, and fails again with the same error where it failed."""
    name = step.__name__

    @wraps(step)
    def get(self: Any) -> Any:
        if name not in self.done:
            try:
                self.done[name] = step(self)
            except Exception as error:
                self.done[name] = error
        if isinstance(self.done[name], Exception):
            raise self.done[name]
        return self.done[name]

    return property(get)


class Lifecycle:
    def __init__(self, account: Account) -> None:
        self.account = account
        self.done: dict[str, Any] = {}

    def step(self, run: Run, **more: Any) -> Step:
        described = raw(self.account)
        return Step(run, things(self.account, described), described, more)

    def provision(self, *arguments: str, **variables: Any) -> Run:
        return self.account.play("provision", *arguments, **{**SETTINGS, "orthweb_instance_count": 2, **variables})

    @once
    def at_first(self) -> set[Thing]:
        return things(self.account)

    @once
    def empty_check(self) -> Step:
        assert self.at_first
        return self.step(self.provision("--check", "--diff"), folder_was_made=self.account.state.exists())

    @once
    def created(self) -> Step:
        assert self.empty_check
        run = self.provision("-vv").ok()
        return self.step(run, **details(self.account), survey=self.survey())

    @once
    def drifted(self) -> Step:
        """A plan after somebody has changed things by hand."""
        assert self.created.run.ok()
        disturb.everything(self.account)
        return self.step(self.provision("--check", "--diff"))

    @once
    def fixed(self) -> Step:
        """With a tag more from now on, by which nothing may be taken for something new; and with certificates."""
        assert self.drifted
        pki = self.folder / "pki"
        pki.mkdir(mode=0o700)
        Authority(pki).issue("orthweb", days=CERTIFICATE_DAYS)
        self.keep("secrets.json", SECRET.encode())
        run = self.provision(orthweb_tags=MORE_TAGS)
        return self.step(run, **details(self.account))

    @once
    def lost(self) -> Step:
        """On a controller without the folder, which is another one's now."""
        assert self.fixed.run.ok()
        self.folder.rename(self.others_folder)
        return self.step(self.provision(orthweb_tags=MORE_TAGS), folder_was_made=self.folder.exists())

    @once
    def adopted(self) -> Step:
        assert self.lost
        checked = self.account.play("adopt", "--check")
        run = self.account.play("adopt", "-vvv", "--diff")
        return self.step(run, checked=checked, adopted=folder.read(self.folder), others=folder.read(self.others_folder))

    @once
    def again(self) -> Step:
        assert self.adopted.run.ok()
        return self.step(self.provision(orthweb_tags=MORE_TAGS))

    @once
    def waited(self) -> Step:
        """For the hosts, and then for one that the load balancer does not have."""
        hosts = {
            tags(each["Tags"])["Name"]: each["InstanceId"]
            for each in self.again.raw["instances"]
            if TAG in tags(each["Tags"])
        }
        assert len(hosts) == 2
        wait = {"name": "cellcs.orthweb.aws_balancer", "tasks_from": "wait.yml"}
        tasks = [
            {"name": name, "ansible.builtin.include_role": wait, "vars": {"aws_balancer_hosts": {**hosts, **more}}}
            for name, more in (("Two hosts", {}), ("A third one", {"orthweb-imaging-3": "i-0123456789abcdef0"}))
        ]
        run = self.account.play_tasks(tasks, aws_balancer_wait_seconds=2, __aws_balancer_pause_seconds=1)
        return self.step(run)

    @once
    def refused(self) -> Step:
        assert self.again and self.waited
        return self.step(self.account.play("teardown", orthweb_confirm_teardown="orthwebb"))

    @once
    def teardown_check(self) -> Step:
        assert self.refused
        return self.step(self.account.teardown("--check"))

    @once
    def gone(self) -> Step:
        assert self.teardown_check
        self.account.post("/rehearsal/settings", {"interface_seconds": 1})
        run = self.account.teardown(__aws_network_pause_seconds=1)
        return self.step(run, folder=folder.read(self.folder), copy=self.copy())

    @once
    def gone_again(self) -> Step:
        assert self.gone
        return self.step(self.account.teardown())

    @once
    def revived(self) -> Step:
        """In a variant, beside somebody else's VPC with our name and range, where roles must have a boundary."""
        assert self.gone_again
        self.account.post("/rehearsal/settings", {"permissions_boundary": BOUNDARY})
        theirs = disturb.somebody_elses_vpc(self.account)
        run = self.provision(**VARIANT, aws_network_direct_access=True)
        return self.step(run, **details(self.account), theirs=theirs)

    @once
    def changed(self) -> Step:
        """By hand and in the settings; and the controller has more than one secret holds."""
        assert self.revived.run.ok()
        disturb.more(self.account)
        self.keep("pki-of-many-modalities", os.urandom(80_000))
        run = self.provision(**CHANGED)
        return self.step(run, **details(self.account), folder=folder.read(self.folder), copy=self.copy())

    @once
    def outdated(self) -> Step:
        """On the other controller, which has not seen that."""
        assert self.changed.run.ok()
        aside = self.folder.with_name("aside")
        self.folder.rename(aside)
        self.others_folder.rename(self.folder)
        run = self.provision(**CHANGED)
        self.folder.rename(self.others_folder)
        aside.rename(self.folder)
        return self.step(run)

    @once
    def bucket_in_the_way(self) -> Step:
        assert self.outdated
        disturb.delete_snapshots(self.account)
        disturb.bucket_with_an_object(self.account)
        disturb.stray_volume(self.account)
        return self.step(self.account.teardown(**NOTHING_KEPT))

    @once
    def emptied(self) -> Step:
        assert self.bucket_in_the_way
        run = self.account.teardown(**NOTHING_KEPT, orthweb_empty_buckets=True)
        return self.step(run, folder_is_there=self.folder.exists())

    @property
    def folder(self) -> Path:
        return self.account.state / "orthweb"

    @property
    def others_folder(self) -> Path:
        return self.account.state / "of-another-controller"

    def keep(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)
        (self.folder / name).chmod(0o600)

    def copy(self) -> dict[str, Entry]:
        """What the account has of the folder."""
        copy = AccountCopy(self.account.client("secretsmanager"), "orthweb/controller", None, {})
        return copy.files(copy.current())

    @property
    def log(self) -> Path:
        """The calls of a whole life, one JSON object a line."""
        assert self.emptied
        return self.account.log

    def survey(self) -> Survey:
        """What aws_stack_info says about the account now."""
        imaging, flow_logs = "orthweb_{region}-imaging", "orthweb_{region}-flow-logs"
        names = {"iam_roles": [imaging, flow_logs], "instance_profiles": [imaging]}
        return survey(self.account.client, "orthweb", names, REGION)
