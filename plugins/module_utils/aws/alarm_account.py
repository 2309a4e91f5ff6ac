# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps topic, subscribers, alarms and the subscription to RDS's events in an account as they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list

from . import alarm_topic, alarms, elb
from .resource import STACK_TAG, Question, lacking_tags, pages, tags_of

ALARMS_A_CALL = 100
ALIVE = ["pending", "running", "stopping", "stopped"]


class AlarmAccount:
    """:param client: makes the boto3 client of a service
    :param tags: of all that is made; what is there keeps others that it has
    :param known: tags of alarms, by ARN, so far as they are known
    :ivar asked: the service that was asked last, for the sentence about a failure
    :ivar changed: whether something was changed, or would be without ``check_mode``
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        stack: str,
        tags: Mapping[str, Any],
        check_mode: bool,
        known: Mapping[str, dict[str, str]],
    ) -> None:
        self.stack, self.check_mode, self.changed, self.asked = stack, check_mode, False, ""
        self.tags = {**{key: str(value) for key, value in tags.items()}, STACK_TAG: stack}
        self._make, self._clients = client, dict[str, Any]()
        self.topic = alarm_topic.find_topic(self.client("sns"), stack)
        self.events = alarm_topic.find_events(self.client("rds"), stack)
        self.found = {each["AlarmName"]: each for each in self._alarms()}
        self.alarm_tags = {
            name: known.get(each["AlarmArn"]) or self._tags_of_alarm(each) for name, each in self.found.items()
        }

    def client(self, service: str) -> Any:
        self.asked = service
        if service not in self._clients:
            self._clients[service] = self._make(service)
        return self._clients[service]

    # --- look

    @property
    def recover(self) -> str:
        """The ARN of the action that moves a host to other hardware."""
        meta = self.client("cloudwatch").meta
        return f"arn:{meta.partition}:automate:{meta.region_name}:ec2:recover"

    def hosts(self) -> dict[str, str]:
        """Of the stack's hosts that are not going, their ids by name."""
        filters = [
            {"Name": f"tag:{STACK_TAG}", "Values": [self.stack]},
            {"Name": "instance-state-name", "Values": ALIVE},
        ]
        found = pages(self.client("ec2"), "describe_instances", "Reservations", Filters=filters)
        hosts = [each for reservation in found for each in reservation["Instances"]]
        return {tags_of(each["Tags"]).get("Name", each["InstanceId"]): each["InstanceId"] for each in hosts}

    def balancer(self) -> dict[str, str] | None:
        """The stack's load balancer and one of its target groups, as CloudWatch names them; None without."""
        question = Question(self.client("elbv2"), self.stack, (), list)
        found = [
            next((each["id"] for each in how(question) if question.is_ours(each["tags"])), "")
            for how in (elb.load_balancers, elb.target_groups)
        ]
        if not all(found):
            return None
        balancer, group = found
        return {"LoadBalancer": balancer.partition(":loadbalancer/")[2], "TargetGroup": group.rpartition(":")[2]}

    def subscribers(self) -> dict[str, str]:
        return alarm_topic.subscribers(self.client("sns"), self.topic)

    def taken(self, names: Sequence[str]) -> list[str]:
        """Names of alarms that somebody else's have."""
        return [name for name in names if name in self.found and self.alarm_tags[name].get(STACK_TAG) != self.stack]

    def shown(self) -> dict[str, Any]:
        """What there is, for a diff. Empty if there is nothing."""
        ours = {name: each for name, each in self.found.items() if self.alarm_tags[name].get(STACK_TAG) == self.stack}
        if not (self.topic or ours or self.events):
            return {}
        return {
            "addresses": sorted(self.subscribers()),
            "events": sorted((self.events or {}).get("EventCategoriesList") or []),
            "alarms": {name: alarms.rule(each) for name, each in ours.items()},
        }

    def _alarms(self) -> list[dict[str, Any]]:
        of_us = {"AlarmNamePrefix": alarms.prefix(self.stack), "AlarmTypes": ["MetricAlarm"]}
        return pages(self.client("cloudwatch"), "describe_alarms", "MetricAlarms", **of_us)

    def _tags_of_alarm(self, alarm: Mapping[str, Any]) -> dict[str, str]:
        answer = self.client("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])
        return tags_of(answer.get("Tags"))

    def _missing(self, tags: Mapping[str, str]) -> list[dict[str, str]]:
        return ansible_dict_to_boto3_tag_list(lacking_tags(self.tags, tags))

    @property
    def _tag_list(self) -> list[dict[str, str]]:
        return self._missing({})

    # --- change

    def _do(self, service: str, call: str, **arguments: Any) -> dict[str, Any]:
        self.changed = True
        if self.check_mode:
            return {}
        answer: dict[str, Any] = getattr(self.client(service), call)(**arguments)
        return answer

    def keep_topic(self, key: str, addresses: Sequence[str]) -> str:
        """The topic's ARN; in check mode something else if there is none."""
        if not self.topic:
            attributes = {"KmsMasterKeyId": key, "DisplayName": self.stack}
            name = alarm_topic.name(self.stack)
            made = self._do("sns", "create_topic", Name=name, Attributes=attributes, Tags=self._tag_list)
            self.topic = made.get("TopicArn", "")
        else:
            sns = self.client("sns")
            if sns.get_topic_attributes(TopicArn=self.topic)["Attributes"].get("KmsMasterKeyId") != key:
                set_key = {"TopicArn": self.topic, "AttributeName": "KmsMasterKeyId", "AttributeValue": key}
                self._do("sns", "set_topic_attributes", **set_key)
            tags = tags_of(sns.list_tags_for_resource(ResourceArn=self.topic).get("Tags"))
            if missing := self._missing(tags):
                self._do("sns", "tag_resource", ResourceArn=self.topic, Tags=missing)
        there = self.subscribers()
        for address in addresses:
            if address not in there:
                self._do("sns", "subscribe", TopicArn=self.topic, Protocol=alarm_topic.MAIL, Endpoint=address)
        return self.topic or alarm_topic.name(self.stack)

    def keep_alarms(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        for alarm in wanted:
            there = self.found.get(alarm["AlarmName"])
            if there is None or not alarms.same(alarm, there):
                self._do("cloudwatch", "put_metric_alarm", **alarm, **({} if there else {"Tags": self._tag_list}))
            if there and (missing := self._missing(self.alarm_tags[alarm["AlarmName"]])):
                self._do("cloudwatch", "tag_resource", ResourceARN=there["AlarmArn"], Tags=missing)
        self._delete_alarms(alarms.stale(wanted, self.alarm_tags, self.stack))

    def keep_events(self, topic: str, database: str, categories: Sequence[str]) -> None:
        """Of one database; none where there are no categories."""
        there, name = self.events, alarm_topic.name(self.stack)
        wanted = {"SubscriptionName": name, "SnsTopicArn": topic, "EventCategories": list(categories), "Enabled": True}
        if not categories:
            self._delete_events()
        elif not there:
            of_database = {"SourceType": "db-instance", "SourceIds": [database], "Tags": self._tag_list}
            self._do("rds", "create_event_subscription", **wanted, **of_database)
        else:
            if not alarm_topic.same_events(there, topic, categories):
                self._do("rds", "modify_event_subscription", **wanted)
            arn = there["EventSubscriptionArn"]
            tags = tags_of(self.client("rds").list_tags_for_resource(ResourceName=arn).get("TagList"))
            if missing := self._missing(tags):
                self._do("rds", "add_tags_to_resource", ResourceName=arn, Tags=missing)

    def remove_all(self) -> None:
        """What is ours. The subscriptions of a topic go with it."""
        self._delete_alarms(alarms.stale([], self.alarm_tags, self.stack))
        self._delete_events()
        if self.topic:
            self._do("sns", "delete_topic", TopicArn=self.topic)

    def _delete_alarms(self, names: Sequence[str]) -> None:
        for first in range(0, len(names), ALARMS_A_CALL):
            self._do("cloudwatch", "delete_alarms", AlarmNames=names[first : first + ALARMS_A_CALL])

    def _delete_events(self) -> None:
        if self.events:
            self._do("rds", "delete_event_subscription", SubscriptionName=alarm_topic.name(self.stack))
