# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way on a simulated AWS: plan, deploy, again, break, fix, verify, teardown, nothing left."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

from .controller import Rehearsal, Run
from .leftovers import leftovers


class SurpriseError(Exception):
    """A step did not end as it must."""


class Journey:
    """The steps, in their order. ``report`` holds a line for each that was gone."""

    def __init__(self, rehearsal: Rehearsal, arguments: list[str]) -> None:
        self.rehearsal, self.arguments = rehearsal, arguments
        self.runs: dict[str, Run] = {}
        self.report: list[str] = []
        # For those who look at it afterwards: where it stopped, and what was there before teardown took it away.
        self.stopped, self.outputs, self.secrets = "", "{}", set[str]()

    def play(self, name: str, playbook: str, *arguments: str, code: int = 0) -> Run:
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
        host = self.rehearsal.host_container()
        subprocess.run(["docker", "exec", host, "docker", "rm", "--force", f"{stack}-nginx"], check=True)
        return "port 22 open to the world, backups of 1 day, no nginx"

    def nothing_left(self) -> str:
        left = leftovers(self.rehearsal)
        kept = {kind: names for kind, names in left.items() if kind in ("db_snapshots", "kms_keys")}
        if left != kept:
            raise SurpriseError(f"Teardown left more in the account than snapshot and key: {left}")
        return f"but {', '.join(f'{kind} {names}' for kind, names in kept.items())}" if kept else "at all"

    def remember(self) -> None:
        """Keep the outputs and all secrets of the stack, in memory only."""
        folder = self.rehearsal.state / self.rehearsal.stack
        self.outputs = (folder / "outputs.json").read_text()
        people, machines = (json.loads((folder / kept).read_text()) for kept in ("credentials.json", "secrets.json"))
        self.secrets |= {people["password"], people["client_bundle_passphrase"]}
        self.secrets |= {*people["generated"].values(), *machines.values()}
        vault = self.rehearsal.client("secretsmanager")
        for secret in vault.list_secrets()["SecretList"]:
            self.secrets.add(json.loads(vault.get_secret_value(SecretId=secret["Name"])["SecretString"])["password"])

    # --- the way

    def go(self) -> None:
        confirmed = f"orthweb_confirm_teardown={self.rehearsal.stack}"
        self.play("plan on an empty account", "plan", "--check", "--diff", code=2)
        self.play("deploy", "deploy")
        self.remember()
        again = self.play("deploy again", "deploy", "--skip-tags", "acceptance")
        if again.changed:
            raise SurpriseError(f"The second deployment changed something:\n{again.output[-3000:]}")
        self.step("break something by hand", self.break_by_hand)
        found = self.play("plan finds it", "plan", "--check", "--diff", code=2).output
        missed = [what for what in (f"{self.rehearsal.stack}-imaging", "nginx") if what not in found]
        if missed:
            raise SurpriseError(f"The plan did not name {missed}:\n{found[-3000:]}")
        self.play("deploy fixes it", "deploy", "--skip-tags", "acceptance")
        self.play("verify", "verify")  # what a deployment ends with, by itself for once
        self.play("plan: nothing to do", "plan", "--check", "--diff")
        self.play("teardown", "teardown", "--extra-vars", confirmed)
        self.step("nothing is left", self.nothing_left)
