// Survives the loss of a zone, and answers only inside its network.
using 'main.bicep'

param environmentName = 'prod'
param privateEndpoints = true
param clusterTier = 'Standard'
param zones = ['1', '2', '3']
param systemNodes = 3
param systemVmSize = 'Standard_D2ads_v5'
param userVmSize = 'Standard_D4ads_v5'
param maxUserNodes = 10
param postgresSkuName = 'Standard_D4ds_v5'
param postgresSkuTier = 'GeneralPurpose'
param postgresStorageGigabytes = 256
param postgresZoneRedundant = true
param postgresRestoreDays = 35
param postgresGeoRedundantBackup = true
param redisSkuName = 'Balanced_B10'
param redisHighAvailability = true
param redisPersistence = true
param storageSkuName = 'Standard_ZRS'
param purgeProtection = true
param dailyLogGigabytes = -1
// Where the cluster is administered from; empty: from anywhere, with a sign-in, as hosted runners of workflows need.
param authorizedIpRanges = []
param budgetAmount = 3000
param budgetContacts = []
param githubSubjectPrefix = readEnvironmentVariable('GITHUB_SUBJECT_PREFIX', '')
param githubEnvironments = ['production']

// Known only when it is deployed; deploy.sh sets them.
param budgetStart = readEnvironmentVariable('BUDGET_START', '')
param operatorObjectId = readEnvironmentVariable('OPERATOR_OBJECT_ID', '')
