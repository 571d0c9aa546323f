// Azure Managed Redis: account history, rate limit, receipts, live channel. Entra only.

param environmentName string
param location string
param tags object
param privateEndpoints bool
param skuName string

@description('A replica on another node; without it a restart of the node empties what persistence does not keep.')
param highAvailability bool

@description('Every second to disk, as the guarantees in docs/delivery.md assume.')
param persistence bool

@description('Object ids of the identities that use it.')
param userObjectIds array

resource cluster 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: 'redis-fraudsense-${environmentName}-${uniqueString(resourceGroup().id)}'
  location: location
  tags: tags
  sku: {
    name: skuName
  }
  properties: {
    minimumTlsVersion: '1.2'
    highAvailability: highAvailability ? 'Enabled' : 'Disabled'
    publicNetworkAccess: privateEndpoints ? 'Disabled' : 'Enabled'
  }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' = {
  parent: cluster
  name: 'default'
  properties: {
    clientProtocol: 'Encrypted'
    port: 10000
    // One shard, as the plain client expects; up to 25 GB. Beyond that EnterpriseCluster, which looks the same to it.
    clusteringPolicy: 'NoCluster'
    // History must never go silently: a full Redis refuses writes, and score waits.
    evictionPolicy: 'NoEviction'
    accessKeysAuthentication: 'Disabled'
    persistence: persistence ? {
      aofEnabled: true
      aofFrequency: '1s'
    } : null
  }
}

// ingest, score and alerts; there is one built-in policy, and it allows every command on data.
// One after the other: the database takes one change at a time.
@batchSize(1)
resource uses 'Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments@2025-07-01' = [for objectId in userObjectIds: {
  parent: database
  name: 'user${uniqueString(objectId)}'
  properties: {
    accessPolicyName: 'default'
    user: {
      objectId: objectId
    }
  }
}]

output id string = cluster.id
output host string = cluster.properties.hostName
output port int = database.properties.port
