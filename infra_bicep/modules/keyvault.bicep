// The one secret there is: Application Insights' connection string. All else is reached with identities.

import { roles } from '../roles.bicep'

param environmentName string
param location string
param tags object
param privateEndpoints bool
param nodesSubnetId string
param logsId string

@description('Keep a deleted vault for its 90 days whatever happens; cannot be switched off again.')
param purgeProtection bool

@description('Object ids of the identities whose pods mount the secret.')
param readerPrincipalIds array

@secure()
param appInsightsConnectionString string

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  // checkov:skip=CKV_AZURE_42: soft delete is on; purge protection is a parameter, on in prod
  // checkov:skip=CKV_AZURE_110: a parameter, on in prod; a throw-away environment could not be made again under its name
  name: 'kv-${environmentName}-${uniqueString(resourceGroup().id)}'
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: purgeProtection ? true : null
    publicNetworkAccess: privateEndpoints ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: 'Deny'
      virtualNetworkRules: privateEndpoints ? [] : [
        { id: nodesSubnetId }
      ]
    }
  }
}

resource connectionString 'Microsoft.KeyVault/vaults/secrets@2026-02-01' = {
  // checkov:skip=CKV_AZURE_41: a connection string does not expire; it is replaced with its component
  parent: vault
  name: 'appinsights-connection-string'
  properties: {
    contentType: 'Application Insights connection string'
    value: appInsightsConnectionString
  }
}

// Pods of these identities mount the connection string; none may list, set or delete.
resource podsRead 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for principalId in readerPrincipalIds: {
  name: guid(vault.id, principalId, roles.keyVaultSecretsUser)
  scope: connectionString
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}]

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

output id string = vault.id
output name string = vault.name
