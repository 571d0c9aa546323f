// The queue of envelopes between ingest and score.

import { roles } from '../roles.bicep'

param environmentName string
param location string
param tags object
param privateEndpoints bool
param ingestPrincipalId string
param scorePrincipalId string
param kedaPrincipalId string

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: 'sb-fraudsense-${environmentName}-${uniqueString(resourceGroup().id)}'
  location: location
  tags: tags
  sku: {
    // Only Premium has private endpoints.
    name: privateEndpoints ? 'Premium' : 'Standard'
    tier: privateEndpoints ? 'Premium' : 'Standard'
    capacity: privateEndpoints ? 1 : null
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: privateEndpoints ? 'Disabled' : 'Enabled'
  }
}

resource transactions 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = {
  parent: namespace
  name: 'transactions'
  properties: {
    // A publish that is repeated under the same id is stored once.
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT10M'
    // The longest lock there is: a batch that waits for an outage takes up to 253 s.
    lockDuration: 'PT5M'
    maxDeliveryCount: 10
    // Nothing is lost by waiting: what nobody took in two weeks is set aside, not dropped.
    defaultMessageTimeToLive: 'P14D'
    deadLetteringOnMessageExpiration: true
    maxSizeInMegabytes: 5120
  }
}

// ingest publishes to this queue, and can neither read nor change it.
resource ingestSends 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(transactions.id, ingestPrincipalId, roles.serviceBusDataSender)
  scope: transactions
  properties: {
    principalId: ingestPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataSender)
  }
}

// score takes batches from the queue …
resource scoreReceives 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(transactions.id, scorePrincipalId, roles.serviceBusDataReceiver)
  scope: transactions
  properties: {
    principalId: scorePrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataReceiver)
  }
}

// … and puts an envelope of a newer version back under a new id.
resource scoreSends 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(transactions.id, scorePrincipalId, roles.serviceBusDataSender)
  scope: transactions
  properties: {
    principalId: scorePrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataSender)
  }
}

// KEDA's scaler reads the queue's length by the management API, which only this role opens; hence an identity of its own.
resource kedaCounts 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(namespace.id, kedaPrincipalId, roles.serviceBusDataOwner)
  scope: namespace
  properties: {
    principalId: kedaPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataOwner)
  }
}

output id string = namespace.id
output fqdn string = '${namespace.name}.servicebus.windows.net'
