// One network: a subnet for nodes, one for private endpoints; everything outgoing leaves by one address.

import { roles } from '../roles.bicep'

param environmentName string
param location string
param tags object
param clusterPrincipalId string

@description('Availability zones of the nodes; where there are any, the way out must outlive one of them too.')
param zones array

// StandardV2 lies in all zones of the region, Standard in one of them; address and gateway must be alike.
resource egressAddress 'Microsoft.Network/publicIPAddresses@2025-09-01' = {
  name: 'pip-fraudsense-${environmentName}-egress'
  location: location
  tags: tags
  sku: {
    name: empty(zones) ? 'Standard' : 'StandardV2'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

// A fixed address is what firewalls (PostgreSQL's here, a partner's elsewhere) can let in.
resource egress 'Microsoft.Network/natGateways@2025-09-01' = {
  name: 'ng-fraudsense-${environmentName}'
  location: location
  tags: tags
  sku: {
    name: empty(zones) ? 'Standard' : 'StandardV2'
  }
  properties: {
    idleTimeoutInMinutes: 10
    publicIpAddresses: [
      { id: egressAddress.id }
    ]
  }
}

// No rules of its own: Azure's defaults refuse what comes from outside, and AKS opens what a Service asks for.
resource nodesRules 'Microsoft.Network/networkSecurityGroups@2025-09-01' = {
  name: 'nsg-fraudsense-${environmentName}-nodes'
  location: location
  tags: tags
}

resource endpointsRules 'Microsoft.Network/networkSecurityGroups@2025-09-01' = {
  name: 'nsg-fraudsense-${environmentName}-endpoints'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'refuse-internet'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-09-01' = {
  name: 'vnet-fraudsense-${environmentName}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: ['10.40.0.0/16']
    }
    // Inside the network, not resources of their own: a redeployment would otherwise remove and add them.
    subnets: [
      {
        name: 'nodes'
        properties: {
          addressPrefix: '10.40.0.0/20'
          natGateway: {
            id: egress.id
          }
          networkSecurityGroup: {
            id: nodesRules.id
          }
          // Without private endpoints, vault and storage let in this subnet only.
          serviceEndpoints: [
            { service: 'Microsoft.KeyVault' }
            { service: 'Microsoft.Storage' }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.40.16.0/24'
          networkSecurityGroup: {
            id: endpointsRules.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

resource nodes 'Microsoft.Network/virtualNetworks/subnets@2025-09-01' existing = {
  parent: network
  name: 'nodes'
}

resource endpoints 'Microsoft.Network/virtualNetworks/subnets@2025-09-01' existing = {
  parent: network
  name: 'endpoints'
}

// The cluster attaches nodes and internal load balancers to the nodes' subnet, and nowhere else.
resource clusterJoinsNodes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(nodes.id, clusterPrincipalId, roles.networkContributor)
  scope: nodes
  properties: {
    principalId: clusterPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.networkContributor)
  }
}

output networkId string = network.id
output nodesSubnetId string = nodes.id
output endpointsSubnetId string = endpoints.id
output egressIp string = egressAddress.properties.ipAddress
