# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError, AnsibleTypeError
from ansible_collections.cellcs.orthweb.plugins.filter.costs import INPUT, monthly_cost

from support.checkout import ROOT

PRICES = yaml.safe_load((ROOT / "files" / "aws_prices.yml").read_text())
SMALL = {
    "instance_type": "t3.medium",
    "instance_count": 2,
    "root_volume_gb": 30,
    "addresses": 2,
    "database_class": "db.t4g.medium",
    "database_storage_gb": 50,
    "multi_az": False,
    "interface_endpoints": 4,
    "secrets": 2,
    "kms_keys": 1,
}


def test_a_stack_by_hand() -> None:
    found = monthly_cost(SMALL, PRICES)
    assert {line["what"]: line["monthly"] for line in found["lines"]} == {
        "2 x t3.medium": 60.74,
        "2 x 30 GB of gp3": 4.8,
        "2 x public IPv4 address": 7.3,
        "db.t4g.medium PostgreSQL, one zone": 47.45,
        "50 GB of gp3 for RDS, one zone": 5.75,
        "4 x interface endpoint in a zone": 29.2,
        "1 x KMS key": 1.0,
        "2 x secret": 0.8,
    }
    assert (found["total"], found["missing"], found["currency"]) == (157.04, [], "USD")
    assert found["text"][-1].split() == ["157.04", "USD", "in", "all"]


def test_multi_az_doubles_the_database() -> None:
    one, two = monthly_cost(SMALL, PRICES), monthly_cost({**SMALL, "multi_az": "yes"}, PRICES)
    assert two["total"] - one["total"] == pytest.approx(47.45 + 5.75)


def test_what_has_no_price_is_named_and_not_free() -> None:
    found = monthly_cost({**SMALL, "instance_type": "u7i-12tb.224xlarge", "database_class": "db.x9.large"}, PRICES)
    assert found["missing"] == ["2 x u7i-12tb.224xlarge", "db.x9.large PostgreSQL, one zone"]
    assert found["total"] == pytest.approx(157.04 - 60.74 - 47.45)


def test_a_table_without_a_price_is_told() -> None:
    prices = {key: value for key, value in PRICES.items() if key != "kms_key_month"}
    assert monthly_cost(SMALL, prices)["missing"] == ["1 x KMS key"]


def test_nothing_costs_nothing() -> None:
    assert monthly_cost({}, PRICES)["lines"] == []
    assert monthly_cost({}, PRICES)["rates"] == []


def test_alarms_have_a_price() -> None:
    with_alarms = monthly_cost({**SMALL, "alarms": 8}, PRICES)
    assert with_alarms["total"] == pytest.approx(monthly_cost(SMALL, PRICES)["total"] + 0.8)


def test_what_is_paid_by_use_is_a_rate_and_not_in_the_total() -> None:
    found = monthly_cost(SMALL, PRICES)
    rates = {rate.split("USD")[1].strip().partition(",")[0]: rate.split()[0] for rate in found["rates"]}
    assert rates == {
        "a GB that is sent to the Internet: to browsers": "0.090",
        "a GB": "0.010",
        "a GB a month of backups beyond the size of the database": "0.095",
        "a GB of logs taken in: flow logs": "0.500",
        "a GB a month of logs kept": "0.030",
    }
    assert not any("between" in line["what"] for line in found["lines"])


def test_rates_are_those_of_what_there_is() -> None:
    without_rds = monthly_cost({**SMALL, "database_class": ""}, PRICES)["rates"]
    assert not any("database in" in rate or "backups" in rate for rate in without_rds)
    without_price = {key: value for key, value in PRICES.items() if key != "internet_gb"}
    assert len(monthly_cost(SMALL, without_price)["rates"]) == 4
    assert "a GB that is sent to the Internet" in monthly_cost(SMALL, without_price)["missing"][0]


@pytest.mark.parametrize(
    ("stack", "error"),
    [({"instances": 2}, AnsibleFilterError), ({"instance_count": "two"}, AnsibleFilterError), ([], AnsibleTypeError)],
)
def test_what_cannot_be_meant_is_refused(stack: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        monthly_cost(stack, PRICES)


def test_only_what_is_beyond_the_baseline_costs_extra() -> None:
    base = {**SMALL, "database_storage_gb": 500}
    fast = {**base, "database_iops": 20000, "database_throughput": "1000"}
    plain = monthly_cost(base, PRICES)
    assert monthly_cost({**base, "database_iops": 12000, "database_throughput": 500}, PRICES) == plain
    found = monthly_cost(fast, PRICES)
    assert {line["what"]: line["monthly"] for line in found["lines"] if "more for RDS" in line["what"]} == {
        "8000 IOPS more for RDS, one zone": 160.0,
        "500 MiB/s more for RDS, one zone": 40.0,
    }
    assert monthly_cost({**fast, "multi_az": True}, PRICES)["total"] == pytest.approx(
        monthly_cost({**base, "multi_az": True}, PRICES)["total"] + 400
    )


def test_a_load_balancer_and_its_addresses() -> None:
    found = monthly_cost({"load_balancers": "1", "balancer_addresses": 2}, PRICES)
    assert {line["what"]: line["monthly"] for line in found["lines"]} == {
        "1 x Network Load Balancer": 16.43,
        "2 x its public IPv4 address": 7.3,
    }


def test_backups_of_aws_backup_are_paid_for_by_use() -> None:
    said = "0.095 USD  a GB a month of AWS Backup's backups and of each copy; between regions, their transfer, too"
    assert said in " ".join(monthly_cost({**SMALL, "backup_plans": 1}, PRICES)["rates"])
    assert "AWS Backup" not in " ".join(monthly_cost(SMALL, PRICES)["rates"])


def test_every_price_in_the_table_is_used() -> None:
    more = {
        "log_gb": 1,
        "alarms": 1,
        "backup_plans": 1,
        "database_iops": 12001,
        "database_throughput": 501,
        "load_balancers": 1,
        "balancer_addresses": 2,
    }
    everything = {**SMALL, **more}
    assert set(everything) == set(INPUT)
    about = {"date", "region", "currency", "hours_per_month"}
    for key in set(PRICES) - about - {"database_storage_multi_az_gb_month"}:
        without = {name: value for name, value in PRICES.items() if name != key}
        assert monthly_cost(everything, without)["missing"], key


def test_the_table_is_dated_and_dearer_the_larger() -> None:
    assert re.fullmatch(r"20\d\d-\d\d", PRICES["date"])
    order = ["micro", "small", "medium", "large", "xlarge", "2xlarge"]
    for table in (PRICES["instance_hour"], PRICES["database_hour"]):
        families: dict[str, list[tuple[int, float]]] = {}
        for name, price in table.items():
            family, _dot, size = name.rpartition(".")
            families.setdefault(family, []).append((order.index(size), price))
        for family, sizes in families.items():
            by_price = [price for size, price in sorted(sizes)]
            assert by_price == sorted(set(by_price)), family
