metadata description = 'A private endpoint, and its name in the private zone of its service.'

@description('Region of the endpoint.')
param location string

@description('Name of the endpoint.')
param name string

@description('Tags of every resource.')
param tags object

@description('Network whose members resolve the name.')
param networkId string

@description('Subnet that the endpoint has its address in.')
param subnetId string

@description('What the endpoint leads to: one or several resources of one kind.')
param serviceIds string[]

@description('Which part of the service it leads to.')
@allowed([
  'Sql'
  'blob'
  'vault'
  'namespace'
])
param groupId string

@description('Private zone of the service, such as privatelink.documents.azure.com.')
param zoneName string

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: zoneName
  location: 'global'
  tags: tags
}

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: zone
  name: 'network'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = [
  for (serviceId, index) in serviceIds: {
    name: '${name}-${index}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: subnetId
      }
      privateLinkServiceConnections: [
        {
          name: groupId
          properties: {
            privateLinkServiceId: serviceId
            groupIds: [
              groupId
            ]
          }
        }
      ]
    }
  }
]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [
  for (serviceId, index) in serviceIds: {
    parent: endpoint[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: groupId
          properties: {
            privateDnsZoneId: zone.id
          }
        }
      ]
    }
  }
]
