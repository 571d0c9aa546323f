// The container registry: one image, pushed by workflows or built here, pulled by the nodes.

import { roles } from '../roles.bicep'

param environmentName string
param location string
param tags object
param privateEndpoints bool
param kubeletPrincipalId string
param githubPrincipalId string

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' = {
  // checkov:skip=CKV_AZURE_139: workflows and `az acr build` push from outside; nobody reads without a sign-in
  // checkov:skip=CKV_AZURE_163: scanned by the workflow before it is pushed
  // checkov:skip=CKV_AZURE_166: quarantine would need a service that releases images; the workflow scans before it pushes
  name: 'fraudsense${environmentName}${uniqueString(resourceGroup().id)}'
  location: location
  tags: tags
  sku: {
    // Only Premium has private endpoints.
    name: privateEndpoints ? 'Premium' : 'Basic'
  }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
    // Open to signed-in pushes also beside private endpoints: workflows and `az acr build` come from outside.
    publicNetworkAccess: 'Enabled'
    networkRuleBypassOptions: 'AzureServices'
  }
}

// Nodes pull the image.
resource nodesPull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, kubeletPrincipalId, roles.acrPull)
  scope: registry
  properties: {
    principalId: kubeletPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.acrPull)
  }
}

// The main branch's workflow pushes the image that it tested.
resource githubPushes 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(githubPrincipalId)) {
  name: guid(registry.id, githubPrincipalId, roles.acrPush)
  scope: registry
  properties: {
    principalId: githubPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.acrPush)
  }
}

output id string = registry.id
output loginServer string = registry.properties.loginServer
