"""Bicep, without Azure and its compiler: syntax, resource types, checkov; and each check refuses what it must."""

import pytest

from tests.deploy.bicep_types import problems

QUEUE = """
param premium bool
resource bus 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: 'sb-fraudsense-test'
  location: resourceGroup().location
  sku: { name: premium ? 'Premium' : 'Standard' }
  properties: { minimumTlsVersion: '1.2' }
}
resource queue 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = {
  parent: bus
  name: 'transactions'
  properties: {
    lockDuration: 'PT5M'
    maxDeliveryCount: 10
  }
}
"""


def test_resources_as_azure_publishes_them_pass() -> None:
    assert problems(QUEUE) == []


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("maxDeliveryCount: 10", "maxDeliveries: 10", "queue: properties.maxDeliveries does not exist"),
        (
            "maxDeliveryCount: 10",
            "maxDeliveryCount: '10'",
            "queue: properties.maxDeliveryCount is '10', not a whole",
        ),
        ("  location: resourceGroup().location\n", "", "bus: location is missing"),
        (
            "queues@2026-01-01",
            "queues@2031-01-01",
            "queue: Microsoft.ServiceBus/namespaces/queues has no API version",
        ),
        ("'Standard'", "'Standart'", "bus: sku.name is 'Standart', not one of"),
        ("'1.2' }", "'1.2', status: 'Active' }", "bus: properties.status is read-only"),
        (
            "namespaces/queues@",
            "namespaces/heaps@",
            "queue: no types are kept for Microsoft.ServiceBus/namespaces/heaps",
        ),
    ],
)
def test_what_azure_would_refuse_is_said(good: str, bad: str, problem: str) -> None:
    assert good in QUEUE

    assert [said for said in problems(QUEUE.replace(good, bad)) if said.startswith(problem)]
