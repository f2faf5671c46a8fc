metadata description = 'The Flex Consumption plan, the app, and all of its settings.'

@description('Region of the app.')
param location string

@description('Names of the resources begin or end with it.')
param resourceToken string

@description('Tags of every resource.')
param tags object

@description('Name by which azure.yaml finds the app.')
param serviceName string

@description('The identity of the app: its resource.')
param identityId string

@description('The identity of the app: its client.')
param identityClientId string

@description('Version of Node.js.')
@allowed([
  '22'
  '24'
])
param nodeVersion string

@description('Megabytes of an instance.')
@allowed([
  512
  2048
  4096
])
param instanceMemory int

@description('Instances that there may be of all functions together.')
param maximumInstances int

@description('Instances that wait for HTTP requests even when there are none.')
param alwaysReadyHttp int

@description('Instances that wait for changes even when there are none.')
param alwaysReadyFanOut int

@description('Instances that wait for deliveries even when there are none.')
param alwaysReadyDeliveries int

@description('HTTP requests that an instance has at a time before there is another instance, held watches among them.')
param httpConcurrency int

@description('Subnet that the app reaches the others from; empty for none.')
param subnetId string

@description('Endpoint of the Cosmos DB account.')
param cosmosEndpoint string

@description('Host of the Service Bus namespace.')
param serviceBusHost string

@description('Blob endpoint of the account that holds bundles.')
param blobEndpoint string

@description('Blob endpoint of the account that is for the Functions host.')
param hostBlobEndpoint string

@description('Container that the package is deployed to.')
param packageUrl string

@description('Vault that holds the secrets of the app.')
param vaultUri string

@description('Connection string of Application Insights, in which nothing is secret: it takes telemetry from identities alone.')
param applicationInsightsConnectionString string

@description('Whether the vault holds credentials of executors, as the secret skerry-executor-credentials.')
param hasExecutorCredentials bool

@description('Further settings of the app; what is empty keeps its default.')
param settings object

var secretSettings = union(
  {
    SKERRY_SECRET_KEYS: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/skerry-secret-keys)'
  },
  hasExecutorCredentials
    ? {
        SKERRY_EXECUTOR_CREDENTIALS: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/skerry-executor-credentials)'
      }
    : {}
)

// Read by the triggers of the host as well as by the app.
var connectionSettings = {
  SKERRY_COSMOS__accountEndpoint: cosmosEndpoint
  SKERRY_COSMOS__credential: 'managedidentity'
  SKERRY_COSMOS__clientId: identityClientId
  SKERRY_SERVICEBUS__fullyQualifiedNamespace: serviceBusHost
  SKERRY_SERVICEBUS__credential: 'managedidentity'
  SKERRY_SERVICEBUS__clientId: identityClientId
  SKERRY_BLOB__blobServiceUri: blobEndpoint
  SKERRY_BLOB__credential: 'managedidentity'
  SKERRY_BLOB__clientId: identityClientId
}

var platformSettings = {
  AZURE_CLIENT_ID: identityClientId
  AzureWebJobsStorage__blobServiceUri: hostBlobEndpoint
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}

// An empty setting is one that is set, to nothing.
var given = toObject(
  filter(items(settings), setting => !empty(setting.value)),
  setting => setting.key,
  setting => setting.value
)

var alwaysReady = filter(
  [
    {
      name: 'http'
      instanceCount: alwaysReadyHttp
    }
    {
      name: 'function:changefeed-fanout'
      instanceCount: alwaysReadyFanOut
    }
    {
      name: 'function:servicebus-deliver'
      instanceCount: alwaysReadyDeliveries
    }
  ],
  group => group.instanceCount > 0
)

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${resourceToken}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-${resourceToken}'
  location: location
  tags: union(tags, { 'azd-service-name': serviceName })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'node'
        version: nodeVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemory
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReady
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
  }
}

resource appSettings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(given, secretSettings, connectionSettings, platformSettings)
}

// Deployments show a token of Entra ID as well.
resource noPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = [
  for name in ['scm', 'ftp']: {
    parent: app
    name: name
    properties: {
      allow: false
    }
  }
]

output id string = app.id
output url string = 'https://${app.properties.defaultHostName}'
