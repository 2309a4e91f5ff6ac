# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way on a simulated AWS: plan, deploy, again, break, fix, teardown, nothing left, restore, teardown."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from .controller import Rehearsal, Run
from .leftovers import leftovers

HERE = Path(__file__).parent


class SurpriseError(Exception):
    """A step did not end as it must."""


class Journey:
    """The steps, in their order. ``report`` holds a line for each that was gone."""

    def __init__(self, rehearsal: Rehearsal, arguments: list[str]) -> None:
        self.rehearsal, self.arguments = rehearsal, arguments
        self.runs: dict[str, Run] = {}
        self.report: list[str] = []
        # For those who look at it afterwards: where it stopped, and what was there before teardown took it away.
        self.stopped, self.outputs, self.secrets, self.has_copy = "", "{}", set[str](), False

    def play(self, name: str, playbook: str | Path, *arguments: str, code: int = 0) -> Run:
        print(f"\n===== {name}\n", flush=True)
        run = self.rehearsal.play(playbook, *arguments, *self.arguments)
        self.runs[name] = run
        self.report.append(f"{name:<44} {run.seconds:6.0f} s   changed={run.changed}")
        if run.code != code:
            raise SurpriseError(f"{name}: exit code {run.code} instead of {code}.\n{run.errors or run.output[-3000:]}")
        return run

    def step(self, name: str, act: Callable[[], str]) -> None:
        start = time.monotonic()
        said = act()
        self.report.append(f"{name:<44} {time.monotonic() - start:6.0f} s   {said}")

    # --- what only looks like a playbook's work

    def break_by_hand(self) -> str:
        """What happens in real accounts: somebody opens SSH to the world, saves on backups, removes a container."""
        stack = self.rehearsal.stack
        ec2, rds = self.rehearsal.client("ec2"), self.rehearsal.client("rds")
        group = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"{stack}-imaging"]}])
        world = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.authorize_security_group_ingress(GroupId=group["SecurityGroups"][0]["GroupId"], IpPermissions=[world])
        rds.modify_db_instance(DBInstanceIdentifier=stack, BackupRetentionPeriod=1, ApplyImmediately=True)
        host = self.rehearsal.host_containers()[0]
        subprocess.run(["docker", "exec", host, "docker", "rm", "--force", f"{stack}-nginx"], check=True)
        return "port 22 open to the world, backups of 1 day, no nginx"

    @property
    def log_group(self) -> str:
        return f"/orthweb/{self.rehearsal.stack}/audit"

    def in_audit_container(self, host: str, *command: str, stdin: str = "") -> str:
        whole = ["docker", "exec", "-i", host, "docker", "exec", "-i", f"{self.rehearsal.stack}-audit", *command]
        return subprocess.run(whole, input=stdin, capture_output=True, text=True, check=True).stdout

    def trail(self) -> list[str]:
        """The audit trail on the hosts."""
        read = ["bash", "-c", "cat /var/log/audit/*/*.jsonl"]
        return sorted(
            line
            for host in self.rehearsal.host_containers()
            for line in self.in_audit_container(host, *read).splitlines()
        )

    def trail_in_cloudwatch(self) -> list[str]:
        pages = self.rehearsal.client("logs").get_paginator("filter_log_events").paginate(logGroupName=self.log_group)
        return sorted(event["message"] for page in pages for event in page["events"])

    def copied(self) -> str:
        """CloudWatch Logs has the audit trail, and nothing else: no line of nginx's own log."""
        end = time.monotonic() + 60
        while (found := self.trail_in_cloudwatch()) != (trail := self.trail()):
            if time.monotonic() > end:
                lacks, more = set(trail) - set(found), set(found) - set(trail)
                raise SurpriseError(f"CloudWatch Logs lacks {lacks} of the audit trail, and has besides: {more}")
            time.sleep(1)
        sources = {json.loads(line)["source"] for line in found}
        if not {"nginx", "orthanc", "deployment"} <= sources:
            raise SurpriseError(f"CloudWatch Logs has events of these alone: {sources}")
        return f"{len(found)} events"

    def cloudwatch_away(self) -> str:
        """The trail goes on without it, and the container starts; the copy catches up by itself."""
        host = self.rehearsal.host_containers()[0]
        self.rehearsal.post("/rehearsal/settings", {"logs_away": True})
        restart = ["docker", "exec", host, "docker", "restart", f"{self.rehearsal.stack}-audit"]
        subprocess.run(restart, capture_output=True, check=True)
        self.in_audit_container(host, "audit", "note", stdin='{"action":"without CloudWatch"}')
        end = time.monotonic() + 30
        while not any("without CloudWatch" in line for line in self.trail()):
            if time.monotonic() > end:
                raise SurpriseError("The audit trail does not go on without CloudWatch Logs.")
            time.sleep(1)
        self.rehearsal.post("/rehearsal/settings", {"logs_away": False})
        return self.copied()

    @property
    def controller_secret(self) -> str:
        return f"{self.rehearsal.stack}/controller"

    def lose_the_folder(self) -> str:
        """The laptop is gone; another one has nothing."""
        folder = self.rehearsal.state / self.rehearsal.stack
        folder.rename(folder.with_name("lost"))
        return f"{folder} is gone"

    def folder_is_back(self) -> str:
        """All of it, as another tool sees it, but what a deployment makes again."""
        folder = self.rehearsal.state / self.rehearsal.stack
        without = [
            "outputs.json",
            "rds-ca.pem",
            "portal-ca.crt",
            "renewal*",
            "account-copy.json",
            ".lock",
            "known_hosts.old",
        ]
        command = ["diff", "--recursive", *(f"--exclude={name}" for name in without), "lost", folder.name]
        compared = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)
        listed = [
            subprocess.run(
                ["find", where, "-name", "*.key", "-printf", "%m %P\n"], capture_output=True, text=True, check=True
            ).stdout.splitlines()
            for where in (folder, folder.with_name("lost"))
        ]
        if compared.returncode or sorted(listed[0]) != sorted(listed[1]) or not listed[0]:
            raise SurpriseError(f"What was adopted is not what was lost:\n{compared.stdout}{listed}")
        shutil.rmtree(folder.with_name("lost"))
        return f"{len(listed[0])} keys, and the rest"

    def nothing_left(self) -> str:
        left = leftovers(self.rehearsal)
        kept = {kind: names for kind, names in left.items() if kind in ("db_snapshots", "kms_keys")}
        if kept and self.has_copy:
            kept["secrets"] = [self.controller_secret]
        kept |= {"log_groups": [self.log_group]} if "log_groups" in left else {}
        if left != kept:
            raise SurpriseError(
                f"Teardown left more or less than snapshot, key, controller's folder and audit trail: {left}"
            )
        return f"but {', '.join(f'{kind} {names}' for kind, names in kept.items())}" if kept else "at all"

    def only_snapshot(self) -> str:
        """The name of the final snapshot."""
        (snapshot,) = self.rehearsal.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        return str(snapshot["DBSnapshotIdentifier"])

    def remember(self) -> None:
        """Keep the outputs and all secrets of the stack, in memory only."""
        folder = self.rehearsal.state / self.rehearsal.stack
        self.outputs = (folder / "outputs.json").read_text()
        people, machines = (json.loads((folder / kept).read_text()) for kept in ("credentials.json", "secrets.json"))
        self.secrets |= {people["password"], people["client_bundle_passphrase"]}
        self.secrets |= {*people["generated"].values(), *machines.values()}
        vault = self.rehearsal.client("secretsmanager")
        for secret in vault.list_secrets()["SecretList"]:
            if secret["Name"].startswith(self.controller_secret):
                self.has_copy = True
                continue  # all of the above
            self.secrets.add(json.loads(vault.get_secret_value(SecretId=secret["Name"])["SecretString"])["password"])

    # --- the way

    def go(self) -> None:
        self.play("plan on an empty account", "plan", "--check", "--diff", code=2)
        self.deploy()
        self.look_after_it()
        self.take_away()
        snapshot = self.restore()
        self.play("plan: nothing to do", "plan", "--check", "--diff", "--extra-vars", snapshot)
        self.take_away_for_good()

    def go_briefly(self) -> None:
        """Without what becomes of a stack between its deployment and its end."""
        self.deploy()
        self.take_away()
        self.restore()
        self.take_away_for_good()

    @property
    def images(self) -> str:
        return f"rehearsal_images={self.rehearsal.folder / 'images'}"

    @property
    def confirmed(self) -> str:
        return f"orthweb_confirm_teardown={self.rehearsal.stack}"

    def deploy(self) -> None:
        self.play("deploy", "deploy")
        self.remember()
        self.play("store images", HERE / "images.yml", "--extra-vars", self.images)
        again = self.play("deploy again", "deploy", "--skip-tags", "acceptance")
        if again.changed:
            raise SurpriseError(f"The second deployment changed something:\n{again.output[-3000:]}")

    def look_after_it(self) -> None:
        self.step("break something by hand", self.break_by_hand)
        found = self.play("plan finds it", "plan", "--check", "--diff", code=2).output
        missed = [what for what in (f"{self.rehearsal.stack}-imaging", "nginx") if what not in found]
        if missed:
            raise SurpriseError(f"The plan did not name {missed}:\n{found[-3000:]}")
        if self.has_copy:
            self.step("the controller's folder is lost", self.lose_the_folder)
            self.play("adopt", "adopt")
            self.step("the controller's folder is back", self.folder_is_back)
        self.play("deploy fixes it", "deploy", "--skip-tags", "acceptance")
        if self.rehearsal.client("logs").describe_log_groups(logGroupNamePrefix=self.log_group)["logGroups"]:
            self.step("the audit trail is in CloudWatch Logs", self.copied)
            self.step("CloudWatch Logs away for a while", self.cloudwatch_away)

    def take_away(self) -> None:
        self.play("teardown", "teardown", "--extra-vars", self.confirmed)
        self.step("nothing is left", self.nothing_left)

    def restore(self) -> str:
        """From the final snapshot; the variables that say so."""
        # It is larger than what is asked for, and RDS can make it only larger.
        snapshot = f"aws_database_snapshot={self.only_snapshot()} aws_database_storage_gb=20"
        self.play("deploy from the final snapshot", "deploy", "--extra-vars", snapshot)
        self.remember()
        self.play("every image is there", HERE / "images.yml", "--extra-vars", self.images)
        return snapshot

    def take_away_for_good(self) -> None:
        nothing_kept = f"{self.confirmed} orthweb_rds_final_snapshot=false"
        self.play("teardown without a snapshot", "teardown", "--extra-vars", nothing_kept)
        self.step("nothing is left again", self.nothing_left)
