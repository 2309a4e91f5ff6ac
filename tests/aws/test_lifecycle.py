# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack is made, left alone when nothing is to be done, and fixed when somebody changed it by hand."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Any

import pytest

from support.aws.account import FLOW_LOGS_ROLE, IMAGING_ROLE, REGION
from support.aws.disturb import DRIFT
from support.aws.life import CONTROLLER, DICOM, MADE, PORTAL, SECRET, Lifecycle, Step, named, only, own
from support.aws.listing import Thing, tags


@pytest.fixture(scope="module")
def created(lifecycle: Lifecycle) -> Step:
    lifecycle.created.run.ok()
    return lifecycle.created


class TestCheckOfAnEmptyAccount:
    def test_goes_through_without_a_write(self, lifecycle: Lifecycle) -> None:
        check = lifecycle.empty_check
        check.run.ok()
        assert check.run.calls
        assert check.run.writes == []
        assert check.things == lifecycle.at_first
        assert not check.more["folder_was_made"]

    def test_lists_what_would_be_made(self, lifecycle: Lifecycle) -> None:
        planned, made = set(lifecycle.empty_check.run.changes), set(lifecycle.created.run.changes)
        # What stands for a task that cannot be tried before something else is there.
        announced = {
            "hosts | Announce new imaging hosts": "hosts | Make the imaging hosts",
            "hosts | Announce their fixed addresses": "hosts | Give the hosts fixed addresses",
            "role | Announce the hosts' permissions": ("role | Allow the hosts to write the audit trail"),
            "flow_log | Announce the role's permissions": "flow_log | Allow the role to write to the log group",
        }
        # These are parts of something else that is listed.
        parts = {
            "key_pair | Make the key, once",
            "network_acl | Put the private subnets behind it, with its rules",
            "own_vpc | Remove all rules from the VPC's default security group",
            "name | Tag the hosts with the load balancer's name",
        }
        assert {announced.get(task, task) for task in planned} == made - parts
        # A volume is part of its instance, a target group of its balancer; two secrets are one entry, as are topic,
        # alarms and events; two policies and the key's folder are more.
        parts_of_others = sum(MADE[kind] for kind in ("volumes", "target_groups", "alarms", "topics"))
        number = sum(MADE.values()) - parts_of_others - 1 + 2 + 1
        assert f"Plan: {number} to make, 0 to change, 0 to remove." in lifecycle.empty_check.run.output
        for name in ("orthweb-imaging-1", "orthweb-imaging-2"):
            assert f"name: {name}" in lifecycle.empty_check.run.output
        assert "image: debian-13-amd64-" in lifecycle.empty_check.run.output


class TestCreate:
    def test_makes_everything_and_nothing_without_the_tag(self, lifecycle: Lifecycle, created: Step) -> None:
        new = created.things - lifecycle.at_first
        assert {thing for thing in new if thing.stack != "orthweb"} == set()
        assert Counter(thing.kind for thing in new) == MADE

    def test_aws_stack_info_says_the_same(self, lifecycle: Lifecycle, created: Step) -> None:
        said = {
            (kind, each["id"].rpartition("/")[2] if kind == "kms_keys" else each["id"])
            for kind, found in created.more["survey"].resources.items()
            for each in found
        }
        there = {each[:2] for each in created.things - lifecycle.at_first}
        assert said - {each for each in said if each[0] == "network_interfaces"} == there
        assert created.more["survey"].foreign == []

    def test_hosts(self, created: Step) -> None:
        hosts = own(created, "instances")
        assert {tags(host["Tags"])["Name"] for host in hosts} == {"orthweb-imaging-1", "orthweb-imaging-2"}
        assert {host["Placement"]["AvailabilityZone"] for host in hosts} == {f"{REGION}a", f"{REGION}b"}
        group = named(created, "security_groups", "orthweb-imaging")["GroupId"]
        for host in hosts:
            assert host["State"]["Name"] == "running"
            options = host["MetadataOptions"]
            assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)
            assert [each["GroupId"] for each in host["SecurityGroups"]] == [group]
            assert host["IamInstanceProfile"]["Arn"].endswith(f":instance-profile/{IMAGING_ROLE}")
            assert host["KeyName"] == "orthweb"
            assert tags(host["Tags"])["orthweb:role"] == "imaging"
            disk = only(host["BlockDeviceMappings"])
            volume = only(v for v in created.raw["volumes"] if v["VolumeId"] == disk["Ebs"]["VolumeId"])
            assert (volume["VolumeType"], volume["Encrypted"], volume["Size"]) == ("gp3", True, 30)
            assert volume["KmsKeyId"] == created.more["key"]["Arn"]
            assert disk["Ebs"]["DeleteOnTermination"]
            address = only(each for each in own(created, "addresses") if each["InstanceId"] == host["InstanceId"])
            assert tags(address["Tags"])["Name"] == tags(host["Tags"])["Name"]

    def test_subnets_lie_in_two_zones_and_the_private_ones_have_no_way_out(self, created: Step) -> None:
        zones = [f"{REGION}a", f"{REGION}b"]
        tables = {name: named(created, "route_tables", f"orthweb-{name}") for name in ("public", "private")}
        for tier, table in tables.items():
            subnets = [named(created, "subnets", f"orthweb-{tier}-{zone}") for zone in zones]
            assert [subnet["AvailabilityZone"] for subnet in subnets] == zones
            assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)
            associated = {each["SubnetId"] for each in table["Associations"]}
            assert associated == {subnet["SubnetId"] for subnet in subnets}
        ways_out = [route["GatewayId"] for route in tables["private"]["Routes"] if route["GatewayId"] != "local"]
        assert all(each.startswith("vpce-") for each in ways_out), ways_out
        gateway = named(created, "internet_gateways", "orthweb")["InternetGatewayId"]
        routes = {route.get("DestinationCidrBlock"): route["GatewayId"] for route in tables["public"]["Routes"]}
        assert routes["0.0.0.0/0"] == gateway
        endpoint = named(created, "vpc_endpoints", "orthweb-s3")
        assert set(endpoint["RouteTableIds"]) == {table["RouteTableId"] for table in tables.values()}

    def test_database(self, created: Step) -> None:
        database = only(created.raw["db_instances"])
        assert database["StorageEncrypted"]
        assert database["KmsKeyId"] == created.more["key"]["Arn"]
        assert not database["PubliclyAccessible"]
        assert database["DeletionProtection"]
        assert database["BackupRetentionPeriod"] == 7
        assert database["CopyTagsToSnapshot"]
        assert (database["StorageType"], database["AllocatedStorage"], database["MaxAllocatedStorage"]) == (
            "gp3",
            50,
            500,
        )
        private = {each["SubnetId"] for each in own(created, "subnets") if "-private-" in tags(each["Tags"])["Name"]}
        assert {each["SubnetIdentifier"] for each in database["DBSubnetGroup"]["Subnets"]} == private
        group = named(created, "security_groups", "orthweb-database")["GroupId"]
        assert [each["VpcSecurityGroupId"] for each in database["VpcSecurityGroups"]] == [group]
        # What somebody has changed by hand is not only put right, but in force.
        group = {"DBParameterGroupName": "orthweb-postgres17", "ParameterApplyStatus": "in-sync"}
        assert database["DBParameterGroups"] == [group]

    def test_database_insists_on_tls_and_logs_no_patient(self, created: Step) -> None:
        wanted = {
            "rds.force_ssl": "1",
            "log_statement": "none",
            "log_min_duration_statement": "-1",
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
        }
        assert {name: created.more["parameters"][name] for name in wanted} == wanted

    def test_who_may_connect(self, created: Step) -> None:
        imaging, balancer, database = (
            named(created, "security_groups", f"orthweb-{name}") for name in ("imaging", "balancer", "database")
        )

        def open_to(group: dict[str, Any]) -> set[tuple[int, int, str]]:
            assert not any(rule["Ipv6Ranges"] for rule in group["IpPermissions"])
            return {
                (rule["FromPort"], rule["ToPort"], source)
                for rule in group["IpPermissions"]
                for source in [
                    *(each["CidrIp"] for each in rule["IpRanges"]),
                    *(each["GroupId"] for each in rule["UserIdGroupPairs"]),
                ]
            }

        forwarded = (11112, 443, 8042)
        assert open_to(balancer) == {(11112, 11112, DICOM), (443, 443, PORTAL), (8042, 8042, PORTAL)}
        directly = {(port, port, CONTROLLER) for port in (22, *forwarded)}
        assert open_to(imaging) == {*directly, *((port, port, balancer["GroupId"]) for port in forwarded)}
        public = {each["CidrBlock"] for each in own(created, "subnets") if "-public-" in tags(each["Tags"])["Name"]}
        reaches = {
            (rule["FromPort"], each["CidrIp"]) for rule in balancer["IpPermissionsEgress"] for each in rule["IpRanges"]
        }
        assert reaches == {(port, cidr) for port in forwarded for cidr in public}
        rule = only(database["IpPermissions"])
        assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 5432, 5432)
        assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [imaging["GroupId"]]
        assert rule["IpRanges"] == rule["Ipv6Ranges"] == []
        assert database["IpPermissionsEgress"] == []
        default = only(
            group
            for group in created.raw["security_groups"]
            if group["GroupName"] == "default" and group["VpcId"] == imaging["VpcId"]
        )
        assert default["IpPermissions"] == default["IpPermissionsEgress"] == []

    def test_load_balancer(self, created: Step) -> None:
        balancer = only(created.raw["load_balancers"])
        assert (balancer["Type"], balancer["Scheme"]) == ("network", "internet-facing")
        public = {each["SubnetId"] for each in own(created, "subnets") if "-public-" in tags(each["Tags"])["Name"]}
        assert {each["SubnetId"] for each in balancer["AvailabilityZones"]} == public
        group = named(created, "security_groups", "orthweb-balancer")["GroupId"]
        assert balancer["SecurityGroups"] == [group]
        said = created.more["balancer"]
        wanted = {"load_balancing.cross_zone.enabled": "true", "deletion_protection.enabled": "true"}
        assert {key: said["attributes"][key] for key in wanted} == wanted
        assert said["idle_seconds"] == {11112: "3900", 443: "3900", 8042: "3900"}
        assert said["forwards"] == {port: f"orthweb-{port}" for port in (11112, 443, 8042)}
        sticky = {"orthweb-11112": "false", "orthweb-443": "true", "orthweb-8042": "true"}
        hosts = sorted(each["InstanceId"] for each in own(created, "instances"))
        for one in created.raw["target_groups"]:
            name = one["TargetGroupName"]
            check = [one[f"HealthCheck{key}"] for key in ("Protocol", "Port", "Path")]
            assert check == ["HTTPS", "443", "/ready"]
            attributes = said["group_attributes"][name]
            assert attributes["stickiness.enabled"] == sticky[name]
            assert attributes["preserve_client_ip.enabled"] == "true"
            assert attributes["deregistration_delay.timeout_seconds"] == "300"
            for taken_out in ("deregistration_delay", "target_health_state.unhealthy"):
                assert attributes[f"{taken_out}.connection_termination.enabled"] == "false"
            assert said["targets"][name] == hosts

    def test_hosts_know_the_name_of_the_load_balancer(self, created: Step) -> None:
        name = only(created.raw["load_balancers"])["DNSName"]
        assert {tags(each["Tags"])["orthweb:server-name"] for each in own(created, "instances")} == {name}

    def test_what_the_hosts_may_reach(self, created: Step) -> None:
        imaging = named(created, "security_groups", "orthweb-imaging")
        database = [
            ipaddress.ip_network(each["CidrBlock"]) for each in own(created, "subnets") if "-private-" in str(each)
        ]
        for rule in imaging["IpPermissionsEgress"]:
            networks = {each["CidrIp"] for each in rule["IpRanges"]}
            if rule["FromPort"] == 5432:
                assert networks == {str(network) for network in database}
            else:
                assert (rule["FromPort"], rule["ToPort"]) in {(80, 80), (443, 443)}

    def test_hosts_may_write_the_audit_trail_and_nothing_else(self, created: Step) -> None:
        assert created.more["attached_policies"] == []
        policies = created.more["inline_policies"]
        assert set(policies) == {"write-audit-trail"}
        write = only(policies["write-audit-trail"]["Statement"])
        assert (write["Effect"], write["Action"]) == ("Allow", ["logs:CreateLogStream", "logs:PutLogEvents"])
        assert write["Resource"].endswith(":log-group:/orthweb/orthweb/audit:*")

    def test_audit_trail_is_kept_for_ten_years(self, created: Step) -> None:
        group = only(each for each in created.raw["log_groups"] if each["logGroupName"] == "/orthweb/orthweb/audit")
        assert group["retentionInDays"] == 3653

    def test_key_rotates(self, created: Step) -> None:
        assert created.more["key"]["Enabled"]
        assert created.more["key_rotates"]

    def test_no_password_is_shown(self, created: Step) -> None:
        """With -vv. The task that would show it is there, so it is no_log that hides it."""
        assert "Generate the passwords of the master user" in created.run.output
        for password in created.more["passwords"].values():
            assert len(password) >= 24
            assert password not in created.run.output

    def test_secrets_are_encrypted_with_the_key_of_the_stack(self, created: Step) -> None:
        for secret in created.raw["secrets"]:
            assert secret["KmsKeyId"] == created.more["key"]["Arn"], secret["Name"]


class TestDrift:
    @pytest.mark.parametrize("drift", DRIFT)
    def test_is_in_the_plan(self, lifecycle: Lifecycle, drift: str) -> None:
        lifecycle.drifted.run.ok()
        assert DRIFT[drift] in lifecycle.drifted.run.changes

    def test_nothing_else_is_in_the_plan(self, lifecycle: Lifecycle) -> None:
        assert set(lifecycle.drifted.run.changes) - set(DRIFT.values()) == set()

    def test_plan_writes_nothing(self, lifecycle: Lifecycle) -> None:
        assert lifecycle.drifted.run.writes == []

    def test_is_mended(self, lifecycle: Lifecycle) -> None:
        lifecycle.fixed.run.ok()
        before, after = lifecycle.created, lifecycle.fixed
        ids_are_new = {"instances", "volumes", "addresses", "flow_logs", "vpc_endpoints"}

        def comparable(things: set[Thing]) -> Counter[tuple[str, ...]]:
            return Counter((t.kind, t.name, t.stack) if t.kind in ids_are_new else tuple(t) for t in things)

        certificates = Thing(
            "alarms", "orthweb/certificates", "orthweb/certificates", "orthweb"
        )  # which there were none of before
        assert comparable(after.things) == comparable(before.things) + comparable({certificates})
        same = ("inline_policies", "attached_policies", "parameters", "passwords", "key", "key_rotates")
        assert {name: after.more[name] for name in same} == {name: lifecycle.created.more[name] for name in same}

    @pytest.mark.parametrize(
        "check",
        [
            TestCreate.test_hosts,
            TestCreate.test_subnets_lie_in_two_zones_and_the_private_ones_have_no_way_out,
            TestCreate.test_database,
            TestCreate.test_who_may_connect,
            TestCreate.test_load_balancer,
            TestCreate.test_hosts_know_the_name_of_the_load_balancer,
            TestCreate.test_audit_trail_is_kept_for_ten_years,
        ],
    )
    def test_everything_is_as_it_was_made(self, lifecycle: Lifecycle, check: Any) -> None:
        check(TestCreate(), lifecycle.fixed)

    def test_a_further_run_changes_and_writes_nothing(self, lifecycle: Lifecycle) -> None:
        again = lifecycle.again
        again.run.ok()
        assert (again.run.changed, again.run.changes) == (0, [])
        assert again.run.writes == []
        assert again.things == lifecycle.fixed.things


class TestWaitForTheLoadBalancer:
    def test_it_ends_once_all_hosts_are_used(self, lifecycle: Lifecycle) -> None:
        assert "included: cellcs.orthweb.aws_balancer" in lifecycle.waited.run.output
        assert "TASK [A third one]" in lifecycle.waited.run.output

    def test_a_host_that_is_not_used_is_named(self, lifecycle: Lifecycle) -> None:
        lifecycle.waited.run.failed()
        missing = "; ".join(f"orthweb-imaging-3 at port {port} (not registered)" for port in (443, 8042, 11112))
        assert f"The load balancer orthweb sends nobody to {missing}." in lifecycle.waited.run.message
        assert lifecycle.waited.run.writes == []


class TestControllersFolder:
    """The copy in the account of what only the controller has."""

    def test_is_refused_where_it_is_missing(self, lifecycle: Lifecycle) -> None:
        lost = lifecycle.lost
        lost.run.failed()
        assert "is not on this controller, and the account has a copy of it" in lost.run.message
        assert "Run make adopt INVENTORY=inventory/aws" in lost.run.message
        assert lost.run.writes == []
        assert lost.things == lifecycle.fixed.things
        assert not lost.more["folder_was_made"]

    def test_is_adopted_as_it_was(self, lifecycle: Lifecycle) -> None:
        adopted = lifecycle.adopted
        assert adopted.more["checked"].ok().changed == adopted.run.ok().changed == 1
        assert adopted.more["checked"].writes == adopted.run.writes == []
        assert adopted.more["adopted"] == adopted.more["others"]
        assert {"ssh/id_ed25519", "secrets.json"} <= set(adopted.more["adopted"])
        assert adopted.more["adopted"]["ssh/id_ed25519"].mode == 0o600

    def test_shows_no_secret(self, lifecycle: Lifecycle) -> None:
        """With -vvv and --diff, which name the file."""
        output = lifecycle.adopted.run.output
        assert "adopt secrets.json" in output
        key = lifecycle.adopted.more["adopted"]["ssh/id_ed25519"].content.decode().splitlines()
        for line in [SECRET, *key[1:-1]]:
            assert line not in output

    def test_stays_with_the_snapshot(self, lifecycle: Lifecycle) -> None:
        assert lifecycle.gone.more["copy"] == lifecycle.gone.more["folder"]
        assert "stays in Secrets Manager (orthweb/controller)" in lifecycle.gone.run.message


class TestTeardown:
    def test_touches_nothing_without_the_typed_name(self, lifecycle: Lifecycle) -> None:
        lifecycle.refused.run.failed()
        assert "the stack's name was not confirmed" in lifecycle.refused.run.message
        assert lifecycle.refused.run.writes == []
        assert lifecycle.refused.things == lifecycle.again.things

    def test_check_touches_nothing(self, lifecycle: Lifecycle) -> None:
        lifecycle.teardown_check.run.ok()
        assert lifecycle.teardown_check.run.writes == []
        assert "absent | Delete RDS PostgreSQL" in lifecycle.teardown_check.run.changes

    def test_check_lists_what_teardown_does(self, lifecycle: Lifecycle) -> None:
        """Also that the final snapshot, which is not there yet, keeps the key and the controller's folder."""
        assert set(lifecycle.teardown_check.run.changes) == set(lifecycle.gone.run.changes)

    def test_leaves_the_final_snapshot_with_its_key_and_the_audit_trail(self, lifecycle: Lifecycle) -> None:
        gone = lifecycle.gone
        gone.run.ok()
        left = gone.things - lifecycle.at_first
        assert {thing.kind for thing in left} == {"db_snapshots", "kms_keys", "log_groups", "secrets"}
        assert {thing.name for thing in left if thing.kind == "secrets"} == {"orthweb/controller"}
        assert only(thing.name for thing in left if thing.kind == "log_groups") == "/orthweb/orthweb/audit"
        assert "The audit trail is in the log group /orthweb/orthweb/audit" in gone.run.message
        snapshot = only(thing.name for thing in left if thing.kind == "db_snapshots")
        assert f"The images are in the snapshot {snapshot}" in gone.run.message
        assert gone.more["folder"]

    def test_again_changes_nothing(self, lifecycle: Lifecycle) -> None:
        lifecycle.gone_again.run.ok()
        assert lifecycle.gone_again.run.changed == 0
        assert lifecycle.gone_again.run.writes == []
        assert lifecycle.gone_again.things == lifecycle.gone.things


class TestPermissionsBoundary:
    def test_roles_have_none_unless_asked(self, lifecycle: Lifecycle) -> None:
        assert lifecycle.created.more["boundaries"] == {IMAGING_ROLE: None, FLOW_LOGS_ROLE: None}
