metadata description = 'All of Skerry in Azure: `azd up` deploys it (docs/azure.md).'

targetScope = 'subscription'

import { settings } from 'settings.bicep'

@description('Name of the environment: of its resource group, and what the names of its resources are made from.')
@minLength(1)
@maxLength(60)
param environmentName string

@description('Region of everything. It has to offer Flex Consumption.')
@minLength(1)
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('A second region that has the data as well, so that it outlives the first; empty for none. Cosmos DB has to be paid for by autoscale.')
param secondLocation string = ''

@description('Version of Node.js that the app runs on.')
@allowed([
  '22'
  '24'
])
param nodeVersion string = '24'

@description('Megabytes of an instance; processors come in proportion.')
@allowed([
  512
  2048
  4096
])
param instanceMemory int = 2048

@description('Instances that there may be of all functions together: the limit of what the app costs.')
@minValue(1)
@maxValue(1000)
param maximumInstances int = 40

@description('Instances that wait for HTTP requests even when there are none, so that no request waits for a start.')
@minValue(0)
@maxValue(1000)
param alwaysReadyHttp int = 0

@description('Instances that wait for changes even when there are none, so that subscribers hear of them at once.')
@minValue(0)
@maxValue(1000)
param alwaysReadyFanOut int = 0

@description('Instances that wait for deliveries even when there are none, so that webhooks are called at once.')
@minValue(0)
@maxValue(1000)
param alwaysReadyDeliveries int = 0

@description('HTTP requests that an instance has at a time before there is another instance. A held watch is one of them, and costs next to nothing: eight tenths may be held.')
@minValue(10)
@maxValue(1000)
param httpConcurrency int = 500

@description('How Cosmos DB is paid for: by request, which suits most; or by what it scales to, which costs something idle and has a second region.')
@allowed([
  'serverless'
  'autoscale'
])
param cosmosCapacity string = 'serverless'

@description('Request units a second that Cosmos DB scales to with autoscale; a tenth of it is always paid for.')
@minValue(1000)
@maxValue(1000000)
param cosmosMaxThroughput int = 1000

@description('Name of the Cosmos DB account, where it is not one that is made here: of one that was restored from a backup.')
@maxLength(44)
param cosmosAccount string = ''

@description('How far back Cosmos DB can be restored to any moment; seven days are free.')
@allowed([
  'Continuous7Days'
  'Continuous30Days'
])
param cosmosBackup string = 'Continuous7Days'

@description('Tier of Service Bus. Premium has private endpoints and large messages, and costs some seventy times as much.')
@allowed([
  'Standard'
  'Premium'
])
param serviceBusTier string = 'Standard'

@description('Whether data is reached through a private network alone. The app itself stays on the Internet; Service Bus does as well, unless it is Premium.')
param privateNetwork bool = false

@description('Addresses of the private network, at least a /24.')
param networkAddresses string = '10.77.0.0/24'

@description('Days in which nobody can change or delete uploaded bundles, whatever rights they have in Skerry; 0 for no such policy.')
@minValue(0)
@maxValue(365)
param bundleImmutabilityDays int = 7

@description('Whether the vault can be purged by nobody before 90 days are over. Without it `azd down --purge` leaves nothing behind.')
param purgeProtection bool = true

@description('SHA-256, in hex, of the first token; made by the hook before provisioning. Empty for none.')
@maxLength(64)
param bootstrapTokenSha256 string = ''

@description('Who may use the surfaces of replaced systems without a token: off, open, or networks as CIDRs separated by commas.')
param legacyAccess string = 'off'

@description('URL under which callers reach the app, where it differs from that of the platform: a domain of your own.')
param publicUrl string = ''

@description('Entra ID tenant whose access tokens are taken; empty for none.')
param entraTenant string = ''

@description('Audience that those tokens are for: the application ID URI or the client ID of the app registration.')
param entraAudience string = ''

@description('Who issues those tokens, where it is not the public cloud.')
param entraAuthority string = ''

@description('Origins whose pages may call the app from browsers, separated by commas, or *; empty for none.')
param corsOrigins string = ''

@description('Vaults that configurations may refer to, by name and separated by commas. Never the vault of this deployment; grant the app Key Vault Secrets User on each.')
param keyVaults string = ''

@description('Whether the vault holds credentials of executors, as the secret skerry-executor-credentials.')
param hasExecutorCredentials bool = false

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Gigabytes of logs that are taken in a day; what comes after that is lost. -1: all are taken.')
param logDailyCapGigabytes int = 1

@description('Who is told of alerts and of costs, by e-mail; empty for nobody, or of costs the owners of the subscription.')
param alertEmail string = ''

@description('What a month may cost before somebody is told, in the currency of the subscription; 0 for no budget.')
@minValue(0)
param monthlyBudget int = 50

@description('First day of the month that the budget begins with, which cannot be changed: kept by the hook before provisioning. Empty for this month.')
param budgetStart string = ''

@description('This month. Not to be given.')
param month string = utcNow('yyyy-MM')

@description('Further settings of the app.')
param appSettings settings = {}

var resourceToken = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var vaultName = 'kv-${resourceToken}'

// Who may reveal secrets of configurations must not reveal by them what secrets are sealed with.
var referableVaults = contains(toLower(keyVaults), vaultName)
  ? fail('SKERRY_KEYVAULTS names the vault of this deployment, which holds its keys: keep the secrets of configurations in another one.')
  : keyVaults

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    location: location
    name: 'id-${resourceToken}'
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    resourceToken: resourceToken
    tags: tags
    principalId: identity.outputs.principalId
    retentionDays: logRetentionDays
    dailyCapGigabytes: logDailyCapGigabytes
  }
}

module database 'modules/database.bicep' = {
  name: 'database'
  scope: group
  params: {
    location: location
    secondLocation: secondLocation
    name: empty(cosmosAccount) ? 'cosmos-${resourceToken}' : cosmosAccount
    tags: tags
    principalId: identity.outputs.principalId
    capacity: cosmosCapacity
    maxThroughput: cosmosMaxThroughput
    backup: cosmosBackup
    isClosed: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module bus 'modules/bus.bicep' = {
  name: 'bus'
  scope: group
  params: {
    location: location
    resourceToken: resourceToken
    tags: tags
    principalId: identity.outputs.principalId
    tier: serviceBusTier
    isClosed: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    resourceToken: resourceToken
    tags: tags
    principalId: identity.outputs.principalId
    isGeoRedundant: !empty(secondLocation)
    isClosed: privateNetwork
    immutabilityDays: bundleImmutabilityDays
    corsOrigins: corsOrigins
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    location: location
    name: vaultName
    tags: tags
    principalId: identity.outputs.principalId
    hasPurgeProtection: purgeProtection
    isClosed: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    location: location
    resourceToken: resourceToken
    tags: tags
    addressPrefix: networkAddresses
  }
}

module endpoints 'modules/private-endpoints.bicep' = if (privateNetwork) {
  name: 'private-endpoints'
  scope: group
  params: {
    location: location
    resourceToken: resourceToken
    tags: tags
    networkId: privateNetwork ? network.outputs.id : ''
    subnetId: privateNetwork ? network.outputs.endpointSubnetId : ''
    cosmosId: database.outputs.id
    blobIds: [
      storage.outputs.id
      storage.outputs.hostId
    ]
    vaultId: vault.outputs.id
    busId: serviceBusTier == 'Premium' ? bus.outputs.id : ''
  }
}

module app 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    location: location
    resourceToken: resourceToken
    tags: tags
    serviceName: 'skerry'
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    nodeVersion: nodeVersion
    instanceMemory: instanceMemory
    maximumInstances: maximumInstances
    alwaysReadyHttp: alwaysReadyHttp
    alwaysReadyFanOut: alwaysReadyFanOut
    alwaysReadyDeliveries: alwaysReadyDeliveries
    httpConcurrency: httpConcurrency
    subnetId: privateNetwork ? network.outputs.appSubnetId : ''
    cosmosEndpoint: database.outputs.endpoint
    serviceBusHost: bus.outputs.host
    blobEndpoint: storage.outputs.endpoint
    hostBlobEndpoint: storage.outputs.hostEndpoint
    packageUrl: storage.outputs.packageUrl
    vaultUri: vault.outputs.uri
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    hasExecutorCredentials: hasExecutorCredentials
    settings: union(
      appSettings,
      {
        SKERRY_BOOTSTRAP_TOKEN_SHA256: bootstrapTokenSha256
        SKERRY_LEGACY_ACCESS: legacyAccess
        SKERRY_PUBLIC_URL: publicUrl
        SKERRY_ENTRA_TENANT: entraTenant
        SKERRY_ENTRA_AUDIENCE: entraAudience
        SKERRY_ENTRA_AUTHORITY: entraAuthority
        SKERRY_CORS_ORIGINS: corsOrigins
        SKERRY_KEYVAULTS: referableVaults
      },
      // The others of an instance's requests are those that get their answer at once.
      empty(appSettings.?SKERRY_WATCH_MAX_HELD) ? { SKERRY_WATCH_MAX_HELD: string(httpConcurrency * 8 / 10) } : {}
    )
  }
  dependsOn: [
    endpoints
  ]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    applicationInsightsId: monitoring.outputs.applicationInsightsId
    serviceBusId: bus.outputs.id
    cosmosId: database.outputs.id
    email: alertEmail
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    location: location
    tags: tags
    applicationInsightsId: monitoring.outputs.applicationInsightsId
  }
}

module budget 'modules/budget.bicep' = if (monthlyBudget > 0) {
  name: 'budget'
  scope: group
  params: {
    // The module is checked even where it is not deployed.
    amount: max(monthlyBudget, 1)
    start: empty(budgetStart) ? '${month}-01' : budgetStart
    email: alertEmail
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output SKERRY_URL string = empty(publicUrl) ? app.outputs.url : publicUrl
output SKERRY_AZURE_FUNCTION_APP string = app.outputs.id
output SKERRY_AZURE_KEY_VAULT string = vault.outputs.id
output SKERRY_AZURE_IDENTITY string = identity.outputs.principalId
output SKERRY_AZURE_OUTBOUND_ADDRESS string = privateNetwork ? network.outputs.outboundAddress : ''
