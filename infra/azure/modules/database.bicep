metadata description = 'Cosmos DB: the account, its database and every container, and what the app may do with their data.'

@description('Region of the account, which takes the writes.')
param location string

@description('A region that has the data as well; empty for none.')
param secondLocation string

@description('Name of the account.')
param name string

@description('Tags of every resource.')
param tags object

@description('Principal of the app, which may read and write data and change no container.')
param principalId string

@description('How the account is paid for: by request, or by what it scales to.')
@allowed([
  'serverless'
  'autoscale'
])
param capacity string

@description('Request units a second that all containers together scale to; a tenth of it is always paid for.')
@minValue(1000)
param maxThroughput int

@description('How far back the account can be restored to any moment.')
@allowed([
  'Continuous7Days'
  'Continuous30Days'
])
param backup string

@description('Whether the account is reached through the private network alone.')
param isClosed bool

@description('Workspace that the account tells of changes to itself.')
param workspaceId string

var hasSecondRegion = !empty(secondLocation)
var isServerless = capacity == 'serverless'

// An account that is paid for by request has one region: Azure would refuse it after minutes, this does at once.
var regions = isServerless && hasSecondRegion
  ? fail('A serverless Cosmos DB account has one region: set SKERRY_AZURE_COSMOS_CAPACITY to autoscale, or SKERRY_AZURE_SECOND_LOCATION to nothing.')
  : (hasSecondRegion ? [location, secondLocation] : [location])

// Over two regions Azure takes no fewer changes, and no less time, to be behind by.
var consistency = hasSecondRegion
  ? {
      defaultConsistencyLevel: 'BoundedStaleness'
      maxStalenessPrefix: 100000
      maxIntervalInSeconds: 300
    }
  : {
      defaultConsistencyLevel: 'Strong'
    }

// As shared/platform/topology.ts declares them. Null: nothing expires.
var containers = [
  {
    id: 'records'
    partitionKey: '/scope'
    indexedPaths: [
      '/type/?'
      '/revision/?'
      '/key/?'
      '/kind/?'
      '/ns/?'
      '/expiresAt/?'
      '/lease/?'
      '/milestone/?'
      '/listed/?'
    ]
    defaultTimeToLive: null
  }
  {
    id: 'leases'
    partitionKey: '/scope'
    indexedPaths: [
      '/expiresAt/?'
    ]
    defaultTimeToLive: null
  }
  {
    id: 'deliveries'
    partitionKey: '/subscription'
    indexedPaths: [
      '/state/?'
      '/createdAt/?'
      '/ns/?'
    ]
    defaultTimeToLive: -1
  }
  {
    id: 'feed-leases'
    partitionKey: '/id'
    indexedPaths: []
    defaultTimeToLive: -1
  }
]

resource account 'Microsoft.DocumentDB/databaseAccounts@2024-11-15' = {
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    consistencyPolicy: consistency
    locations: [
      for (region, index) in regions: {
        locationName: region
        failoverPriority: index
        isZoneRedundant: false
      }
    ]
    enableAutomaticFailover: hasSecondRegion
    enableMultipleWriteLocations: false
    capabilities: isServerless ? [{ name: 'EnableServerless' }] : []
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: {
        tier: backup
      }
    }
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: isClosed ? 'Disabled' : 'Enabled'
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2024-11-15' = {
  parent: account
  name: 'skerry'
  properties: {
    resource: {
      id: 'skerry'
    }
    options: isServerless ? {} : { autoscaleSettings: { maxThroughput: maxThroughput } }
  }
}

resource container 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = [
  for declared in containers: {
    parent: database
    name: declared.id
    properties: {
      resource: union(
        {
          id: declared.id
          partitionKey: {
            kind: 'Hash'
            version: 2
            paths: [
              declared.partitionKey
            ]
          }
          indexingPolicy: {
            indexingMode: 'consistent'
            automatic: true
            includedPaths: map(declared.indexedPaths, path => { path: path })
            excludedPaths: [
              {
                path: '/*'
              }
            ]
          }
        },
        declared.defaultTimeToLive == null ? {} : { defaultTtl: declared.defaultTimeToLive }
      )
    }
  }
]

// Built into Cosmos DB: reads and writes items, and reads what containers there are; it makes and deletes none.
var dataContributor = '00000000-0000-0000-0000-000000000002'

resource mayUseData 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2024-11-15' = {
  parent: account
  name: guid(account.id, principalId, dataContributor)
  properties: {
    principalId: principalId
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${dataContributor}'
    scope: account.id
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'workspace'
  scope: account
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'ControlPlaneRequests'
        enabled: true
      }
    ]
  }
}

output id string = account.id
output endpoint string = account.properties.documentEndpoint
