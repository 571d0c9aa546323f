// One identity for each who asks something of Azure, so that each can be given only what it needs.

param environmentName string
param location string
param tags object

@description('How the subjects of the repository whose workflows may roll out begin; empty: none.')
param githubSubjectPrefix string

// Workloads in the cluster, and KEDA's operator, which reads the queue's length for all of them.
var workloads = ['ingest', 'score', 'alerts', 'jobs', 'keda']

resource workload 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = [for who in workloads: {
  name: 'id-fraudsense-${environmentName}-${who}'
  location: location
  tags: tags
}]

// The cluster's own: it joins nodes to the network.
resource cluster 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-fraudsense-${environmentName}-cluster'
  location: location
  tags: tags
}

resource github 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = if (!empty(githubSubjectPrefix)) {
  name: 'id-fraudsense-${environmentName}-github'
  location: location
  tags: tags
}

output ingest object = {
  name: workload[0].name
  clientId: workload[0].properties.clientId
  objectId: workload[0].properties.principalId
}
output score object = {
  name: workload[1].name
  clientId: workload[1].properties.clientId
  objectId: workload[1].properties.principalId
}
output alerts object = {
  name: workload[2].name
  clientId: workload[2].properties.clientId
  objectId: workload[2].properties.principalId
}
output jobs object = {
  name: workload[3].name
  clientId: workload[3].properties.clientId
  objectId: workload[3].properties.principalId
}
output keda object = {
  name: workload[4].name
  clientId: workload[4].properties.clientId
  objectId: workload[4].properties.principalId
}
output cluster object = {
  id: cluster.id
  objectId: cluster.properties.principalId
}
output github object = {
  clientId: empty(githubSubjectPrefix) ? '' : github!.properties.clientId
  objectId: empty(githubSubjectPrefix) ? '' : github!.properties.principalId
}
