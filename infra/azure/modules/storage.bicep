metadata description = 'Two storage accounts: one for bundles, which are written once, and one for the Functions host and the deployed package.'

@description('Region of the accounts.')
param location string

@description('Names of the resources begin or end with it.')
param resourceToken string

@description('Tags of every resource.')
param tags object

@description('Principal of the app, which reads and writes blobs of its containers and signs links to them.')
param principalId string

@description('Whether a second region has a copy of the bundles.')
param isGeoRedundant bool

@description('Whether the accounts are reached through the private network alone.')
param isClosed bool

@description('Days in which nobody can change or delete what is in the container of bundles, counted from its upload; 0 for no such policy.')
@minValue(0)
@maxValue(365)
param immutabilityDays int

@description('Origins whose pages may follow links to large archives from browsers, separated by commas; empty for none.')
param corsOrigins string

@description('Workspace that the account of bundles tells of writes and deletions.')
param workspaceId string

// As shared/platform/topology.ts declares them.
var containers = [
  'bundles'
  'drafts'
]

var packageContainer = 'package'

var networkRules = {
  defaultAction: isClosed ? 'Deny' : 'Allow'
  bypass: 'None'
}

// No keys: whoever reads or writes shows a token of Entra ID, and links are signed for the identity that made them.
var protection = {
  allowSharedKeyAccess: false
  allowBlobPublicAccess: false
  allowCrossTenantReplication: false
  defaultToOAuthAuthentication: true
  minimumTlsVersion: 'TLS1_2'
  supportsHttpsTrafficOnly: true
  publicNetworkAccess: isClosed ? 'Disabled' : 'Enabled'
  networkAcls: networkRules
}

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'st${resourceToken}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: isGeoRedundant ? 'Standard_RAGRS' : 'Standard_LRS'
  }
  properties: protection
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    cors: {
      corsRules: empty(corsOrigins)
        ? []
        : [
            {
              allowedOrigins: map(split(corsOrigins, ','), origin => trim(origin))
              allowedMethods: [
                'GET'
                'HEAD'
                'PUT'
              ]
              allowedHeaders: [
                '*'
              ]
              exposedHeaders: [
                '*'
              ]
              maxAgeInSeconds: 3600
            }
          ]
    }
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [
  for name in containers: {
    parent: blobs
    name: name
    properties: {
      publicAccess: 'None'
    }
  }
]

// Not locked: who owns the account may shorten it or take it away. Drafts are written over, so they have none.
resource writeOnce 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2023-05-01' = if (immutabilityDays > 0) {
  parent: container[0]
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: immutabilityDays
    allowProtectedAppendWrites: false
  }
}

// What was deleted or written over stays as a version until it is so old, counted from when it was written; then it is deleted as softly as a blob.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  parent: account
  name: 'default'
  // Rules about versions are refused before there are versions.
  dependsOn: [
    blobs
  ]
  properties: {
    policy: {
      rules: [
        {
          name: 'old-versions-of-bundles'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                'bundles/'
              ]
            }
            actions: {
              version: {
                delete: {
                  daysAfterCreationGreaterThan: 30
                }
              }
            }
          }
        }
        {
          name: 'old-versions-of-drafts'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                'drafts/'
              ]
            }
            actions: {
              version: {
                delete: {
                  daysAfterCreationGreaterThan: 1
                }
              }
            }
          }
        }
      ]
    }
  }
}

resource hostAccount 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'sth${resourceToken}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: protection
}

resource hostBlobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: hostAccount
  name: 'default'
}

resource deployedPackage 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: hostBlobs
  name: packageContainer
  properties: {
    publicAccess: 'None'
  }
}

var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var blobDelegator = 'db58b8e5-c6ad-4a2a-8342-4190687cbf4a'
var blobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'

resource mayUseBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in containers: {
    name: guid(account.id, name, principalId, blobDataContributor)
    scope: container[index]
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    }
  }
]

// Links to single blobs are signed with a key that is asked for as this identity; they grant no more than it has.
resource maySignLinks 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, blobDelegator)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDelegator)
  }
}

// What the Functions host asks for: it makes containers for the locks of timers, and reads the package.
resource mayRunHost 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostAccount.id, principalId, blobDataOwner)
  scope: hostAccount
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataOwner)
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'workspace'
  scope: blobs
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageWrite'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

output id string = account.id
output endpoint string = account.properties.primaryEndpoints.blob
output hostId string = hostAccount.id
output hostEndpoint string = hostAccount.properties.primaryEndpoints.blob
output packageUrl string = '${hostAccount.properties.primaryEndpoints.blob}${packageContainer}'
