metadata description = 'The vault that holds what the app seals secrets with. Secrets are put there by hooks/after-provision.ts, by no template.'

@description('Region of the vault.')
param location string

@description('Name of the vault.')
param name string

@description('Tags of every resource.')
param tags object

@description('Principal of the app, which reads secrets.')
param principalId string

@description('Whether nobody can purge the vault before its time.')
param hasPurgeProtection bool

@description('Whether the vault is reached through the private network alone.')
param isClosed bool

@description('Workspace that the vault tells of each access.')
param workspaceId string

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    // What was sealed with a key is lost with it; so nobody takes the vault away for good before its time.
    enablePurgeProtection: hasPurgeProtection ? true : null
    publicNetworkAccess: isClosed ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: isClosed ? 'Deny' : 'Allow'
      bypass: 'None'
    }
  }
}

var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource mayReadSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, secretsUser)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'workspace'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

output id string = vault.id
output uri string = vault.properties.vaultUri
