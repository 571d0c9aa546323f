// Whose tokens stand for which identity: ServiceAccounts of the cluster, and workflows of the repository.

param environmentName string
param oidcIssuerUrl string

@description('How the subjects of the repository begin: repo:OWNER/NAME, or repo:OWNER@ID/NAME@ID where they carry ids.')
param githubSubjectPrefix string

@description('Deployment environments of the repository that roll out here.')
param githubEnvironments array

var azureAudience = 'api://AzureADTokenExchange'

var serviceAccounts = [
  { who: 'ingest', subject: 'system:serviceaccount:fraudsense:ingest' }
  { who: 'score', subject: 'system:serviceaccount:fraudsense:score' }
  { who: 'alerts', subject: 'system:serviceaccount:fraudsense:alerts' }
  { who: 'jobs', subject: 'system:serviceaccount:fraudsense:jobs' }
  { who: 'keda', subject: 'system:serviceaccount:kube-system:keda-operator' }
]

resource workload 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [for account in serviceAccounts: {
  name: 'id-fraudsense-${environmentName}-${account.who}'
}]

resource fromCluster 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = [for (account, i) in serviceAccounts: {
  parent: workload[i]
  name: 'cluster'
  properties: {
    issuer: oidcIssuerUrl
    subject: account.subject
    audiences: [azureAudience]
  }
}]

// The main branch pushes images; a deployment environment, which may ask for approval, rolls them out.
var branch = empty(githubSubjectPrefix) ? [] : ['ref:refs/heads/main']
var environments = [for name in githubEnvironments: 'environment:${name}']
var githubSubjects = empty(githubSubjectPrefix) ? [] : concat(branch, environments)

resource github 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: 'id-fraudsense-${environmentName}-github'
}

// One after the other: an identity takes one new credential at a time.
@batchSize(1)
resource fromGithub 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = [for subject in githubSubjects: {
  parent: github
  name: 'github-${uniqueString(subject)}'
  properties: {
    issuer: 'https://token.actions.githubusercontent.com'
    subject: '${githubSubjectPrefix}:${subject}'
    audiences: [azureAudience]
  }
}]
