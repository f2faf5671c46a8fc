metadata description = 'Service Bus: the namespace, every queue and topic, and what the app may do with their messages.'

@description('Region of the namespace.')
param location string

@description('Names of the resources begin or end with it.')
param resourceToken string

@description('Tags of every resource.')
param tags object

@description('Principal of the app, which sends to every entity and receives from its own queues.')
param principalId string

@description('Standard has all that Skerry needs; Premium has private endpoints too, and messages of more than 256 KB.')
@allowed([
  'Standard'
  'Premium'
])
param tier string

@description('Whether the namespace is reached through the private network alone, which Premium alone can be.')
param isClosed bool

@description('Workspace that the namespace tells of changes to itself.')
param workspaceId string

// As shared/platform/topology.ts declares them.
var queues = [
  {
    name: 'deliveries'
    lockDuration: 'PT1M'
    duplicateDetectionWindow: 'PT10M'
    maxDeliveryCount: 100
    hasSessions: false
  }
  {
    name: 'commands'
    lockDuration: 'PT1M'
    duplicateDetectionWindow: 'PT10M'
    maxDeliveryCount: 100
    hasSessions: true
  }
  {
    name: 'steps'
    lockDuration: 'PT1M'
    duplicateDetectionWindow: 'PT10M'
    maxDeliveryCount: 100
    hasSessions: false
  }
]

// Who wants to hear makes a subscription of their own; Skerry makes none.
var topics = [
  {
    name: 'notifications'
    duplicateDetectionWindow: 'PT10M'
    messageTimeToLive: 'P7D'
  }
]

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: 'sb-${resourceToken}'
  location: location
  tags: tags
  sku: {
    name: tier
    tier: tier
    capacity: tier == 'Premium' ? 1 : null
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: isClosed && tier == 'Premium' ? 'Disabled' : 'Enabled'
  }
}

resource queue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [
  for declared in queues: {
    parent: namespace
    name: declared.name
    properties: {
      lockDuration: declared.lockDuration
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: declared.duplicateDetectionWindow
      maxDeliveryCount: declared.maxDeliveryCount
      requiresSession: declared.hasSessions
    }
  }
]

resource topic 'Microsoft.ServiceBus/namespaces/topics@2024-01-01' = [
  for declared in topics: {
    parent: namespace
    name: declared.name
    properties: {
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: declared.duplicateDetectionWindow
      defaultMessageTimeToLive: declared.messageTimeToLive
    }
  }
]

var dataSender = '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
var dataReceiver = '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'

// Of the whole namespace, because replies go to the queue or topic that a command names.
resource maySend 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(namespace.id, principalId, dataSender)
  scope: namespace
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', dataSender)
  }
}

resource mayReceive 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (declared, index) in queues: {
    name: guid(namespace.id, declared.name, principalId, dataReceiver)
    scope: queue[index]
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', dataReceiver)
    }
  }
]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'workspace'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'OperationalLogs'
        enabled: true
      }
    ]
  }
}

output id string = namespace.id
// Such as https://NAME.servicebus.windows.net:443/
output host string = split(namespace.properties.serviceBusEndpoint, [':', '/'])[3]
