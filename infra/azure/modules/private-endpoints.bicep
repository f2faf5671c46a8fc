metadata description = 'Private endpoints of all services that have them.'

@description('Region of the endpoints.')
param location string

@description('Names of the resources begin or end with it.')
param resourceToken string

@description('Tags of every resource.')
param tags object

@description('Network whose members resolve the names of the services.')
param networkId string

@description('Subnet that the endpoints have their addresses in.')
param subnetId string

@description('The Cosmos DB account.')
param cosmosId string

@description('The storage accounts.')
param blobIds string[]

@description('The vault.')
param vaultId string

@description('The Service Bus namespace; empty where its tier has no private endpoints.')
param busId string

module cosmos 'private-endpoint.bicep' = {
  name: 'cosmos-endpoint'
  params: {
    location: location
    name: 'pe-cosmos-${resourceToken}'
    tags: tags
    networkId: networkId
    subnetId: subnetId
    serviceIds: [
      cosmosId
    ]
    groupId: 'Sql'
    zoneName: 'privatelink.documents.azure.com'
  }
}

module blob 'private-endpoint.bicep' = {
  name: 'blob-endpoint'
  params: {
    location: location
    name: 'pe-blob-${resourceToken}'
    tags: tags
    networkId: networkId
    subnetId: subnetId
    serviceIds: blobIds
    groupId: 'blob'
    zoneName: 'privatelink.blob.${environment().suffixes.storage}'
  }
}

module vault 'private-endpoint.bicep' = {
  name: 'vault-endpoint'
  params: {
    location: location
    name: 'pe-vault-${resourceToken}'
    tags: tags
    networkId: networkId
    subnetId: subnetId
    serviceIds: [
      vaultId
    ]
    groupId: 'vault'
    zoneName: 'privatelink.vaultcore.azure.net'
  }
}

module bus 'private-endpoint.bicep' = if (!empty(busId)) {
  name: 'bus-endpoint'
  params: {
    location: location
    name: 'pe-bus-${resourceToken}'
    tags: tags
    networkId: networkId
    subnetId: subnetId
    serviceIds: [
      busId
    ]
    groupId: 'namespace'
    zoneName: 'privatelink.servicebus.windows.net'
  }
}
