// AKS: a small pool for the cluster's own pods, and one for ours whose nodes come and go with the work.

import { roles } from '../roles.bicep'

param environmentName string
param location string
param tags object
param identityId string
param nodesSubnetId string
param logsId string
param prometheusRuleId string
param podLogsRuleId string

@allowed(['Free', 'Standard'])
param tier string

@description('Availability zones of the nodes; empty: wherever there is room.')
param zones array
param systemNodes int
param systemVmSize string
param userVmSize string
param maxUserNodes int

@description('Ranges from which the API server may be reached; empty: from anywhere, with a sign-in.')
param authorizedIpRanges array

@description('Object id of whoever deploys, who then may use the cluster; empty: nobody more.')
param operatorObjectId string

@description('Object id of the identity of workflows; empty: none.')
param githubPrincipalId string

resource cluster 'Microsoft.ContainerService/managedClusters@2026-05-01' = {
  // checkov:skip=CKV_AZURE_8: AKS has no dashboard add-on any more
  // checkov:skip=CKV_AZURE_172: rotation is on, as the string that the API asks for; the check looks for a boolean
  // checkov:skip=CKV_AZURE_227: a subscription must first register EncryptionAtHost; disks are encrypted at rest without it
  name: 'aks-fraudsense-${environmentName}'
  location: location
  tags: tags
  sku: {
    name: 'Base'
    tier: tier
  }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    dnsPrefix: 'fraudsense-${environmentName}'
    disableLocalAccounts: true
    enableRBAC: true
    aadProfile: {
      managed: true
      enableAzureRBAC: true
    }
    apiServerAccessProfile: {
      authorizedIPRanges: authorizedIpRanges
      disableRunCommand: true
    }
    autoUpgradeProfile: {
      upgradeChannel: 'stable'
      nodeOSUpgradeChannel: 'NodeImage'
    }
    networkProfile: {
      networkPlugin: 'azure'
      networkPluginMode: 'overlay'
      networkDataplane: 'cilium'
      networkPolicy: 'cilium'
      outboundType: 'userAssignedNATGateway'
      podCidr: '10.244.0.0/16'
      serviceCidr: '10.41.0.0/16'
      dnsServiceIP: '10.41.0.10'
    }
    agentPoolProfiles: [
      {
        name: 'system'
        mode: 'System'
        count: systemNodes
        vmSize: systemVmSize
        osType: 'Linux'
        osSKU: 'AzureLinux'
        // On the machine's own disk: a node from nothing starts sooner, and nothing of it outlives it.
        osDiskType: 'Ephemeral'
        osDiskSizeGB: 60
        availabilityZones: zones
        vnetSubnetID: nodesSubnetId
        maxPods: 60
        // Else on from Kubernetes 1.37, and names are looked up at an address that our network policies do not know.
        localDNSProfile: {
          mode: 'Disabled'
        }
        // Nothing of ours may keep a node here: ours are in the other pool, which shrinks with the work.
        nodeTaints: ['CriticalAddonsOnly=true:NoSchedule']
        upgradeSettings: {
          maxSurge: '33%'
        }
      }
      {
        name: 'user'
        mode: 'User'
        enableAutoScaling: true
        minCount: 0
        maxCount: maxUserNodes
        vmSize: userVmSize
        osType: 'Linux'
        osSKU: 'AzureLinux'
        // On the machine's own disk: a node from nothing starts sooner, and nothing of it outlives it.
        osDiskType: 'Ephemeral'
        osDiskSizeGB: 60
        availabilityZones: zones
        vnetSubnetID: nodesSubnetId
        maxPods: 60
        // Else on from Kubernetes 1.37, and names are looked up at an address that our network policies do not know.
        localDNSProfile: {
          mode: 'Disabled'
        }
        upgradeSettings: {
          maxSurge: '33%'
        }
      }
    ]
    oidcIssuerProfile: {
      enabled: true
    }
    securityProfile: {
      workloadIdentity: {
        enabled: true
      }
      imageCleaner: {
        enabled: true
        intervalHours: 168
      }
    }
    workloadAutoScalerProfile: {
      keda: {
        enabled: true
      }
    }
    // Gateway API by the managed Istio, without a mesh; its GatewayClass is approuting-istio.
    ingressProfile: {
      gatewayAPI: {
        installation: 'Standard'
      }
      webAppRouting: {
        enabled: true
        gatewayAPIImplementations: {
          appRoutingIstio: {
            mode: 'Enabled'
          }
        }
        nginx: {
          defaultIngressControllerType: 'None'
        }
      }
    }
    azureMonitorProfile: {
      metrics: {
        enabled: true
        kubeStateMetrics: {}
      }
    }
    addonProfiles: {
      azureKeyvaultSecretsProvider: {
        enabled: true
        config: {
          enableSecretRotation: 'true'
          rotationPollInterval: '5m'
        }
      }
      omsagent: {
        enabled: true
        config: {
          logAnalyticsWorkspaceResourceID: logsId
          useAADAuth: 'true'
        }
      }
    }
  }
}

resource collectsMetrics 'Microsoft.Insights/dataCollectionRuleAssociations@2024-03-11' = {
  name: 'prometheus'
  scope: cluster
  properties: {
    dataCollectionRuleId: prometheusRuleId
  }
}

resource collectsPodLogs 'Microsoft.Insights/dataCollectionRuleAssociations@2024-03-11' = {
  name: 'pods'
  scope: cluster
  properties: {
    dataCollectionRuleId: podLogsRuleId
  }
}

// Who changed what in the cluster, and who was let in.
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: cluster
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'kube-audit-admin'
        enabled: true
      }
      {
        category: 'guard'
        enabled: true
      }
    ]
  }
}

// Whoever deploys installs charts, which need the whole cluster; local accounts, the other way in, are off.
resource operatorAdministers 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorObjectId)) {
  name: guid(cluster.id, operatorObjectId, roles.clusterAdmin)
  scope: cluster
  properties: {
    principalId: operatorObjectId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.clusterAdmin)
  }
}

// Workflows fetch the address of the cluster …
resource githubFinds 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(githubPrincipalId)) {
  name: guid(cluster.id, githubPrincipalId, roles.clusterUser)
  scope: cluster
  properties: {
    principalId: githubPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.clusterUser)
  }
}

// … and apply a namespace and custom resources, which no smaller built-in role covers.
resource githubApplies 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(githubPrincipalId)) {
  name: guid(cluster.id, githubPrincipalId, roles.clusterAdmin)
  scope: cluster
  properties: {
    principalId: githubPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.clusterAdmin)
  }
}

output oidcIssuerUrl string = cluster.properties.oidcIssuerProfile.issuerURL
output kubeletPrincipalId string = cluster.properties.identityProfile.kubeletidentity.objectId
