// Where logs, traces and metrics go: Log Analytics, Application Insights over it, and a workspace for Prometheus.

param environmentName string
param location string
param tags object

@description('Gigabytes a day after which Log Analytics takes no more; -1: no limit.')
param dailyLogGigabytes int

resource logs 'Microsoft.OperationalInsights/workspaces@2026-03-01' = {
  name: 'log-fraudsense-${environmentName}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
    workspaceCapping: {
      dailyQuotaGb: dailyLogGigabytes
    }
    features: {
      disableLocalAuth: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-fraudsense-${environmentName}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logs.id
    IngestionMode: 'LogAnalytics'
  }
}

resource metrics 'Microsoft.Monitor/accounts@2025-10-03' = {
  name: 'amw-fraudsense-${environmentName}'
  location: location
  tags: tags
}

resource collection 'Microsoft.Insights/dataCollectionEndpoints@2024-03-11' = {
  name: 'dce-fraudsense-${environmentName}'
  location: location
  tags: tags
  kind: 'Linux'
  properties: {}
}

// What the cluster's Prometheus agent reads goes to the workspace for metrics.
resource prometheus 'Microsoft.Insights/dataCollectionRules@2024-03-11' = {
  name: 'dcr-fraudsense-${environmentName}-prometheus'
  location: location
  tags: tags
  kind: 'Linux'
  properties: {
    dataCollectionEndpointId: collection.id
    dataSources: {
      prometheusForwarder: [
        {
          name: 'prometheus'
          streams: ['Microsoft-PrometheusMetrics']
          labelIncludeFilter: {}
        }
      ]
    }
    destinations: {
      monitoringAccounts: [
        {
          name: 'metrics'
          accountResourceId: metrics.id
        }
      ]
    }
    dataFlows: [
      {
        streams: ['Microsoft-PrometheusMetrics']
        destinations: ['metrics']
      }
    ]
  }
}

// What pods write to standard output goes to Log Analytics: the only trace of one that does not even start.
resource podLogs 'Microsoft.Insights/dataCollectionRules@2024-03-11' = {
  name: 'dcr-fraudsense-${environmentName}-pods'
  location: location
  tags: tags
  kind: 'Linux'
  properties: {
    dataSources: {
      extensions: [
        {
          name: 'pods'
          extensionName: 'ContainerInsights'
          streams: ['Microsoft-ContainerLogV2', 'Microsoft-KubeEvents']
          extensionSettings: {
            dataCollectionSettings: {
              interval: '1m'
              namespaceFilteringMode: 'Include'
              namespaces: ['fraudsense', 'keda']
              enableContainerLogV2: true
            }
          }
        }
      ]
    }
    destinations: {
      logAnalytics: [
        {
          name: 'logs'
          workspaceResourceId: logs.id
        }
      ]
    }
    dataFlows: [
      {
        streams: ['Microsoft-ContainerLogV2', 'Microsoft-KubeEvents']
        destinations: ['logs']
      }
    ]
  }
}

output logsId string = logs.id
output prometheusRuleId string = prometheus.id
output podLogsRuleId string = podLogs.id

@secure()
output connectionString string = insights.properties.ConnectionString
