"""What the deployment cannot do without, as values in Bicep: one row each, and what is said without it."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.deploy.bicep_types import inside, parse


class Essential(NamedTuple):
    """A property of a resource, by its path (an item of a list by its name), and its value as Bicep writes it."""

    file: str
    resource: str
    path: str
    value: str

    def pattern(self) -> re.Pattern[str]:
        """Where the value stands in the file."""
        steps = "".join(rf".*?\n\s+(?:name: '{step}'|{step}:)" for step in self.path.split("."))
        return re.compile(
            rf"^(resource {self.resource} {steps} ){re.escape(self.value)}$", re.MULTILINE | re.DOTALL
        )


CLUSTER, BUS, DATABASE = "modules/cluster.bicep", "modules/servicebus.bicep", "modules/postgres.bicep"
REDIS, STORAGE, VAULT = "modules/redis.bicep", "modules/storage.bicep", "modules/keyvault.bicep"
NETWORK, CREDENTIALS = "modules/network.bicep", "modules/federation.bicep"
POOLS = "properties.agentPoolProfiles"

ESSENTIALS = (
    # Pods scale, have identities, and reach nothing that no policy names.
    Essential(CLUSTER, "cluster", "properties.workloadAutoScalerProfile.keda.enabled", "true"),
    Essential(CLUSTER, "cluster", "properties.securityProfile.workloadIdentity.enabled", "true"),
    Essential(CLUSTER, "cluster", "properties.oidcIssuerProfile.enabled", "true"),
    Essential(CLUSTER, "cluster", "properties.addonProfiles.azureKeyvaultSecretsProvider.enabled", "true"),
    Essential(CLUSTER, "cluster", "properties.azureMonitorProfile.metrics.enabled", "true"),
    Essential(CLUSTER, "cluster", "properties.ingressProfile.gatewayAPI.installation", "'Standard'"),
    Essential(CLUSTER, "cluster", "properties.networkProfile.networkDataplane", "'cilium'"),
    Essential(CLUSTER, "cluster", "properties.networkProfile.networkPolicy", "'cilium'"),
    Essential(CLUSTER, "cluster", f"{POOLS}.user.localDNSProfile.mode", "'Disabled'"),
    Essential(CLUSTER, "cluster", f"{POOLS}.system.localDNSProfile.mode", "'Disabled'"),
    Essential(CLUSTER, "cluster", "properties.networkProfile.outboundType", "'userAssignedNATGateway'"),
    # Nodes come and go with the work; what is the cluster's own keeps to its pool.
    Essential(CLUSTER, "cluster", f"{POOLS}.user.enableAutoScaling", "true"),
    Essential(CLUSTER, "cluster", f"{POOLS}.user.minCount", "0"),
    Essential(CLUSTER, "cluster", f"{POOLS}.user.maxCount", "maxUserNodes"),
    Essential(CLUSTER, "cluster", f"{POOLS}.user.mode", "'User'"),
    Essential(CLUSTER, "cluster", f"{POOLS}.user.availabilityZones", "zones"),
    Essential(CLUSTER, "cluster", f"{POOLS}.system.availabilityZones", "zones"),
    Essential(CLUSTER, "cluster", f"{POOLS}.system.nodeTaints", "['CriticalAddonsOnly=true:NoSchedule']"),
    Essential(NETWORK, "egress", "sku.name", "empty(zones) ? 'Standard' : 'StandardV2'"),
    Essential(NETWORK, "egressAddress", "sku.name", "empty(zones) ? 'Standard' : 'StandardV2'"),
    # Nobody has a key or a password.
    Essential(CLUSTER, "cluster", "properties.disableLocalAccounts", "true"),
    Essential(CLUSTER, "cluster", "properties.aadProfile.enableAzureRBAC", "true"),
    Essential(BUS, "namespace", "properties.disableLocalAuth", "true"),
    Essential(DATABASE, "server", "properties.authConfig.passwordAuth", "'Disabled'"),
    Essential(DATABASE, "server", "properties.authConfig.activeDirectoryAuth", "'Enabled'"),
    Essential(REDIS, "database", "properties.accessKeysAuthentication", "'Disabled'"),
    Essential(REDIS, "database", "properties.clientProtocol", "'Encrypted'"),
    Essential(STORAGE, "account", "properties.allowSharedKeyAccess", "false"),
    Essential(STORAGE, "account", "properties.allowBlobPublicAccess", "false"),
    Essential(VAULT, "vault", "properties.enableRbacAuthorization", "true"),
    Essential(CREDENTIALS, "fromCluster", "properties.subject", "account.subject"),
    # Nothing is lost, counted twice or dropped in silence.
    Essential(BUS, "transactions", "properties.requiresDuplicateDetection", "true"),
    Essential(BUS, "transactions", "properties.duplicateDetectionHistoryTimeWindow", "'PT10M'"),
    Essential(BUS, "transactions", "properties.lockDuration", "'PT5M'"),
    Essential(BUS, "transactions", "properties.maxDeliveryCount", "10"),
    Essential(BUS, "transactions", "properties.defaultMessageTimeToLive", "'P14D'"),
    Essential(BUS, "transactions", "properties.deadLetteringOnMessageExpiration", "true"),
    Essential(REDIS, "database", "properties.evictionPolicy", "'NoEviction'"),
    Essential(REDIS, "database", "properties.persistence.aofEnabled", "true"),
    Essential(REDIS, "cluster", "properties.highAvailability", "highAvailability ? 'Enabled' : 'Disabled'"),
    Essential(STORAGE, "blobs", "properties.isVersioningEnabled", "true"),
    Essential(STORAGE, "blobs", "properties.deleteRetentionPolicy.enabled", "true"),
    Essential(VAULT, "vault", "properties.enablePurgeProtection", "purgeProtection ? true : null"),
    Essential(VAULT, "vault", "properties.enableSoftDelete", "true"),
    Essential(DATABASE, "server", "properties.backup.backupRetentionDays", "restoreDays"),
    Essential(
        DATABASE, "server", "properties.highAvailability.mode", "zoneRedundant ? 'ZoneRedundant' : 'Disabled'"
    ),
)

# What prod.bicepparam asks for, since "survives the loss of a zone" and "answers only inside" stand on it.
PRODUCTION = {
    "privateEndpoints": True,
    "clusterTier": "Standard",
    "zones": ["1", "2", "3"],
    "systemNodes": 3,
    "postgresZoneRedundant": True,
    "redisHighAvailability": True,
    "redisPersistence": True,
    "storageSkuName": "Standard_ZRS",
    "purgeProtection": True,
}


def missing(read: Callable[[str], str]) -> Iterator[str]:
    """What is not as it must be; `read` gives the text of a file of infra_bicep."""
    for each in ESSENTIALS:
        found = _at(inside(parse(read(each.file))["resources"][each.resource]["config"]), each.path)
        if not _same(found, each.value):
            yield f"{each.resource}: {each.path} is {found!r}, not {each.value}"


def broken(text: str, essential: Essential) -> str:
    """A file's text with another value there."""
    changed, times = essential.pattern().subn(r"\g<1>'something else'", text, count=1)
    assert times == 1, essential
    return changed


def _at(config: Any, path: str) -> Any:
    """The value at a path, of what a condition chooses between the first; nothing where there is none."""
    for step in path.split("."):
        if isinstance(config, list):
            config = {item["name"]: item for item in config}
        elif "operator" in config:
            config = config["operator"]["operands"]["true_value"]
        config = config.get(step, {})
    return config


def _same(found: Any, value: str) -> bool:
    wanted = parse(f"var wanted = {value}\n")["variables"]["wanted"]["value"]
    return type(found) is type(wanted) and found == wanted
