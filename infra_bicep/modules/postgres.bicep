// PostgreSQL: the books. Entra only; the jobs' identity administers it and gives the others what they need.

param environmentName string
param location string
param tags object
param privateEndpoints bool
param logsId string

@description('The only address that may connect where there are no private endpoints.')
param egressIp string
param adminName string
param adminObjectId string
param skuName string

@allowed(['Burstable', 'GeneralPurpose', 'MemoryOptimized'])
param skuTier string
param storageGigabytes int

@description('A standby in another zone.')
param zoneRedundant bool

@minValue(7)
@maxValue(35)
@description('Days back to which the server can be restored, to any second.')
param restoreDays int

@description('Backups in the paired region as well; can only be chosen when the server is made.')
param geoRedundantBackup bool

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = {
  name: 'psql-fraudsense-${environmentName}-${uniqueString(resourceGroup().id)}'
  location: location
  tags: tags
  sku: {
    name: skuName
    tier: skuTier
  }
  properties: {
    version: '17'
    authConfig: {
      activeDirectoryAuth: 'Enabled'
      passwordAuth: 'Disabled'
      tenantId: tenant().tenantId
    }
    network: {
      publicNetworkAccess: privateEndpoints ? 'Disabled' : 'Enabled'
    }
    storage: {
      storageSizeGB: storageGigabytes
      autoGrow: 'Enabled'
    }
    backup: {
      backupRetentionDays: restoreDays
      geoRedundantBackup: geoRedundantBackup ? 'Enabled' : 'Disabled'
    }
    highAvailability: {
      mode: zoneRedundant ? 'ZoneRedundant' : 'Disabled'
    }
    maintenanceWindow: {
      customWindow: 'Enabled'
      dayOfWeek: 2
      startHour: 3
      startMinute: 0
    }
  }
}

// One after the other, here and below: the server refuses a change while another one is being made.
resource fromCluster 'Microsoft.DBforPostgreSQL/flexibleServers/firewallRules@2025-08-01' = if (!privateEndpoints) {
  parent: server
  name: 'cluster'
  properties: {
    startIpAddress: egressIp
    endIpAddress: egressIp
  }
}

resource tls 'Microsoft.DBforPostgreSQL/flexibleServers/configurations@2025-08-01' = {
  parent: server
  name: 'ssl_min_protocol_version'
  properties: {
    value: 'TLSv1.2'
    source: 'user-override'
  }
  dependsOn: [fromCluster]
}

// jobs migrates, so it owns the tables; it also makes the other identities' roles.
resource admin 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2025-08-01' = {
  parent: server
  name: adminObjectId
  properties: {
    principalName: adminName
    principalType: 'ServicePrincipal'
    tenantId: tenant().tenantId
  }
  dependsOn: [tls]
}

// After the administrator: made earlier, it may belong to Azure's own superuser, and nobody can use it.
resource database 'Microsoft.DBforPostgreSQL/flexibleServers/databases@2025-08-01' = {
  parent: server
  name: 'fraudsense'
  properties: {
    charset: 'UTF8'
    collation: 'en_US.utf8'
  }
  dependsOn: [admin]
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: server
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'PostgreSQLLogs'
        enabled: true
      }
    ]
  }
}

output id string = server.id
output host string = server.properties.fullyQualifiedDomainName
