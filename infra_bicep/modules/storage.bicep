// Where registered models lie: a blob container that forgets nothing for a month.

import { roles } from '../roles.bicep'

param environmentName string
param location string
param tags object
param privateEndpoints bool
param nodesSubnetId string
param logsId string
param skuName string
param scorePrincipalId string
param jobsPrincipalId string

resource account 'Microsoft.Storage/storageAccounts@2026-04-01' = {
  // checkov:skip=CKV_AZURE_43: the name is an expression, at most 22 of its 24 letters
  // checkov:skip=CKV_AZURE_206: replication is a parameter: three zones in prod
  name: 'fs${environmentName}${uniqueString(resourceGroup().id)}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: skuName
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
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

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2026-04-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: 30
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 30
    }
  }
}

resource models 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-04-01' = {
  parent: blobs
  name: 'models'
  properties: {
    publicAccess: 'None'
  }
}

// score loads the models that are deployed.
resource scoreReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(models.id, scorePrincipalId, roles.storageBlobDataReader)
  scope: models
  properties: {
    principalId: scorePrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
  }
}

// jobs registers models, and reads them back.
resource jobsRegister 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(models.id, jobsPrincipalId, roles.storageBlobDataContributor)
  scope: models
  properties: {
    principalId: jobsPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: blobs
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'StorageRead'
        enabled: true
      }
      {
        category: 'StorageWrite'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

output id string = account.id
output modelsUrl string = '${account.properties.primaryEndpoints.blob}models'
