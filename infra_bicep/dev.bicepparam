// Small and cheap, for trying things and as the staging of releases: no private endpoints, nothing redundant.
using 'main.bicep'

param environmentName = 'dev'
param privateEndpoints = false
param clusterTier = 'Free'
param zones = []
param systemNodes = 1
// Four cores, so that the cluster's own pods, KEDA and its add-on fit on one node.
param systemVmSize = 'Standard_D4ads_v5'
param userVmSize = 'Standard_D2ads_v5'
param maxUserNodes = 3
param authorizedIpRanges = []
param postgresSkuName = 'Standard_B2s'
param postgresSkuTier = 'Burstable'
param postgresStorageGigabytes = 32
param postgresZoneRedundant = false
param postgresRestoreDays = 7
param postgresGeoRedundantBackup = false
param redisSkuName = 'Balanced_B0'
param redisHighAvailability = false
param redisPersistence = false
param storageSkuName = 'Standard_LRS'
param purgeProtection = false
param dailyLogGigabytes = 1
param budgetAmount = 500
param budgetContacts = []
param githubSubjectPrefix = readEnvironmentVariable('GITHUB_SUBJECT_PREFIX', '')
param githubEnvironments = ['staging']

// Known only when it is deployed; deploy.sh sets them.
param budgetStart = readEnvironmentVariable('BUDGET_START', '')
param operatorObjectId = readEnvironmentVariable('OPERATOR_OBJECT_ID', '')
