// FraudSense on Azure, in one resource group: README's picture, from left to right, and what it stands on.

import { roles } from 'roles.bicep'

targetScope = 'resourceGroup'

@description('Short name of the environment; part of every resource name.')
@minLength(3)
@maxLength(7)
param environmentName string

param location string = resourceGroup().location

@description('Keep all services off the internet: Service Bus and registry become Premium, the rest answers only inside.')
param privateEndpoints bool

@description('AKS with (Standard) or without (Free) an uptime agreement.')
@allowed(['Free', 'Standard'])
param clusterTier string

@description('Availability zones of the nodes, which the way out then spans as well; empty: wherever there is room.')
param zones array

param systemNodes int
param systemVmSize string
param userVmSize string

@description('Up to how many nodes the pool for ingest, score and alerts may grow; its least is 0.')
@minValue(1)
param maxUserNodes int

@description('Ranges from which the cluster may be administered; empty: from anywhere, with a sign-in.')
param authorizedIpRanges array

param postgresSkuName string

@allowed(['Burstable', 'GeneralPurpose', 'MemoryOptimized'])
param postgresSkuTier string

@minValue(32)
param postgresStorageGigabytes int

@description('A standby of PostgreSQL in another zone; not with Burstable.')
param postgresZoneRedundant bool

@minValue(7)
@maxValue(35)
param postgresRestoreDays int

@description('Backups of PostgreSQL in the paired region as well; can only be chosen when the server is made.')
param postgresGeoRedundantBackup bool

param redisSkuName string
param redisHighAvailability bool
param redisPersistence bool
param storageSkuName string

@description('Keep a deleted key vault for 90 days whatever happens; cannot be switched off again.')
param purgeProtection bool

@description('Gigabytes of logs a day after which no more are taken; -1: no limit.')
param dailyLogGigabytes int

@description('Costs a month above which mails are sent; 0: no budget.')
@minValue(0)
param budgetAmount int

@description('First day of an existing budget, which cannot be changed; empty: the first of this month.')
param budgetStart string
param firstOfThisMonth string = '${utcNow('yyyy-MM')}-01'

@description('Who else gets the mails, beside the owners.')
param budgetContacts array

@description('How the tokens of workflows that push images and roll out begin, as GitHub says: repo:OWNER/NAME or repo:OWNER@ID/NAME@ID; empty: none.')
param githubSubjectPrefix string

@description('Deployment environments of that repository that roll out here.')
param githubEnvironments array

@description('Object id of whoever deploys, who may then use the cluster; empty: nobody more.')
param operatorObjectId string

var tags = {
  application: 'fraudsense'
  environment: environmentName
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    githubSubjectPrefix: githubSubjectPrefix
  }
}

module network 'modules/network.bicep' = {
  name: 'network'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    clusterPrincipalId: identities.outputs.cluster.objectId
    zones: zones
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    dailyLogGigabytes: dailyLogGigabytes
  }
}

// ingest, score and alerts run here.
module cluster 'modules/cluster.bicep' = {
  name: 'cluster'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    identityId: identities.outputs.cluster.id
    nodesSubnetId: network.outputs.nodesSubnetId
    logsId: monitoring.outputs.logsId
    prometheusRuleId: monitoring.outputs.prometheusRuleId
    podLogsRuleId: monitoring.outputs.podLogsRuleId
    tier: clusterTier
    zones: zones
    systemNodes: systemNodes
    systemVmSize: systemVmSize
    userVmSize: userVmSize
    maxUserNodes: maxUserNodes
    authorizedIpRanges: authorizedIpRanges
    operatorObjectId: operatorObjectId
    githubPrincipalId: identities.outputs.github.objectId
  }
}

module federation 'modules/federation.bicep' = {
  name: 'federation'
  params: {
    environmentName: environmentName
    oidcIssuerUrl: cluster.outputs.oidcIssuerUrl
    githubSubjectPrefix: githubSubjectPrefix
    githubEnvironments: githubEnvironments
  }
}

module registry 'modules/registry.bicep' = {
  name: 'registry'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    privateEndpoints: privateEndpoints
    kubeletPrincipalId: cluster.outputs.kubeletPrincipalId
    githubPrincipalId: identities.outputs.github.objectId
  }
}

// ingest ──envelopes──▶ queue ──batches──▶ score
module servicebus 'modules/servicebus.bicep' = {
  name: 'servicebus'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    privateEndpoints: privateEndpoints
    ingestPrincipalId: identities.outputs.ingest.objectId
    scorePrincipalId: identities.outputs.score.objectId
    kedaPrincipalId: identities.outputs.keda.objectId
  }
}

// score ──▶ PostgreSQL ◀── alerts
module postgres 'modules/postgres.bicep' = {
  name: 'postgres'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    privateEndpoints: privateEndpoints
    logsId: monitoring.outputs.logsId
    egressIp: network.outputs.egressIp
    adminName: identities.outputs.jobs.name
    adminObjectId: identities.outputs.jobs.objectId
    skuName: postgresSkuName
    skuTier: postgresSkuTier
    storageGigabytes: postgresStorageGigabytes
    zoneRedundant: postgresZoneRedundant
    restoreDays: postgresRestoreDays
    geoRedundantBackup: postgresGeoRedundantBackup
  }
}

// Account history for score, limits and receipts for ingest, the live channel from score to alerts.
module redis 'modules/redis.bicep' = {
  name: 'redis'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    privateEndpoints: privateEndpoints
    skuName: redisSkuName
    highAvailability: redisHighAvailability
    persistence: redisPersistence
    userObjectIds: [
      identities.outputs.ingest.objectId
      identities.outputs.score.objectId
      identities.outputs.alerts.objectId
    ]
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    privateEndpoints: privateEndpoints
    nodesSubnetId: network.outputs.nodesSubnetId
    logsId: monitoring.outputs.logsId
    skuName: storageSkuName
    scorePrincipalId: identities.outputs.score.objectId
    jobsPrincipalId: identities.outputs.jobs.objectId
  }
}

module keyvault 'modules/keyvault.bicep' = {
  name: 'keyvault'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    privateEndpoints: privateEndpoints
    nodesSubnetId: network.outputs.nodesSubnetId
    logsId: monitoring.outputs.logsId
    purgeProtection: purgeProtection
    readerPrincipalIds: [
      identities.outputs.ingest.objectId
      identities.outputs.score.objectId
    ]
    appInsightsConnectionString: monitoring.outputs.connectionString
  }
}

module endpoints 'modules/private-endpoints.bicep' = if (privateEndpoints) {
  name: 'private-endpoints'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    networkId: network.outputs.networkId
    subnetId: network.outputs.endpointsSubnetId
    services: [
      { name: 'registry', resourceId: registry.outputs.id, groupId: 'registry', zone: 'privatelink.azurecr.io' }
      { name: 'servicebus', resourceId: servicebus.outputs.id, groupId: 'namespace', zone: 'privatelink.servicebus.windows.net' }
      { name: 'postgres', resourceId: postgres.outputs.id, groupId: 'postgresqlServer', zone: 'privatelink.postgres.database.azure.com' }
      { name: 'redis', resourceId: redis.outputs.id, groupId: 'redisEnterprise', zone: 'privatelink.redis.azure.net' }
      { name: 'keyvault', resourceId: keyvault.outputs.id, groupId: 'vault', zone: 'privatelink.vaultcore.azure.net' }
      { name: 'storage', resourceId: storage.outputs.id, groupId: 'blob', zone: 'privatelink.blob.core.windows.net' }
    ]
  }
}

module budget 'modules/budget.bicep' = if (budgetAmount > 0) {
  name: 'budget'
  params: {
    environmentName: environmentName
    amount: budgetAmount
    start: empty(budgetStart) ? firstOfThisMonth : budgetStart
    contactEmails: budgetContacts
  }
}

// Workflows read the outputs below from the last deployment; they change no infrastructure.
resource githubReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(githubSubjectPrefix)) {
  name: guid(resourceGroup().id, 'github', roles.reader)
  properties: {
    principalId: identities.outputs.github.objectId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.reader)
  }
}

// What the repository's workflows sign in as.
output GITHUB_CLIENT_ID string = identities.outputs.github.clientId

// What the deploy script writes for the Azure overlay.
output TENANT_ID string = tenant().tenantId
output ACR_LOGIN_SERVER string = registry.outputs.loginServer
output SERVICEBUS_FQDN string = servicebus.outputs.fqdn
output POSTGRES_HOST string = postgres.outputs.host
output REDIS_HOST string = redis.outputs.host
output REDIS_PORT int = redis.outputs.port
output KEYVAULT_NAME string = keyvault.outputs.name
output MODELS_URL string = storage.outputs.modelsUrl
output INGEST_CLIENT_ID string = identities.outputs.ingest.clientId
output SCORE_CLIENT_ID string = identities.outputs.score.clientId
output ALERTS_CLIENT_ID string = identities.outputs.alerts.clientId
output JOBS_CLIENT_ID string = identities.outputs.jobs.clientId
output KEDA_CLIENT_ID string = identities.outputs.keda.clientId
output INGEST_OBJECT_ID string = identities.outputs.ingest.objectId
output SCORE_OBJECT_ID string = identities.outputs.score.objectId
output ALERTS_OBJECT_ID string = identities.outputs.alerts.objectId
output INGEST_NAME string = identities.outputs.ingest.name
output SCORE_NAME string = identities.outputs.score.name
output ALERTS_NAME string = identities.outputs.alerts.name
output JOBS_NAME string = identities.outputs.jobs.name
