metadata description = 'One page that shows how the app is.'

@description('Region of the workbook.')
param location string

@description('Tags of every resource.')
param tags object

@description('Application Insights, whose page has the workbook.')
param applicationInsightsId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(applicationInsightsId, 'skerry')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Skerry'
    category: 'workbook'
    sourceId: applicationInsightsId
    serializedData: loadTextContent('workbook.json')
  }
}
