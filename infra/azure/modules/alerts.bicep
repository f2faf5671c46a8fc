metadata description = 'What somebody is told of; docs/operations.md says what each means and what to do.'

@description('Region of the rules.')
param location string

@description('Tags of every resource.')
param tags object

@description('Application Insights, which has requests and metrics of the app.')
param applicationInsightsId string

@description('The Service Bus namespace.')
param serviceBusId string

@description('The Cosmos DB account.')
param cosmosId string

@description('Who is told; empty for nobody, so that alerts are seen in the portal alone.')
param email string

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'skerry'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'skerry'
    enabled: true
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

// Each query gives one row a minute with a number; one minute above the threshold is an alert.
var queryRules = [
  {
    name: 'skerry-feed-lag'
    title: 'Changes reach subscribers late'
    severity: 2
    query: '''
customMetrics
| where name == 'skerry.feed.lag'
| summarize value = max(valueMax) by bin(timestamp, 1m)
'''
    threshold: 60
  }
  {
    name: 'skerry-queue-age'
    title: 'Work waits in a queue'
    severity: 2
    query: '''
customMetrics
| where name == 'skerry.queue.age'
| summarize value = max(valueMax) by bin(timestamp, 1m)
'''
    threshold: 300
  }
  {
    name: 'skerry-failures'
    title: 'More than a twentieth of the requests fail'
    severity: 1
    query: '''
customMetrics
| where name == 'skerry.http.requests'
| extend status = toint(customDimensions.status)
| summarize failed = sumif(valueSum, status >= 500), total = sum(valueSum) by bin(timestamp, 1m)
| project timestamp, value = iff(total < 20, 0.0, 100.0 * failed / total)
'''
    threshold: 5
  }
  {
    name: 'skerry-dead-deliveries'
    title: 'Deliveries were given up'
    severity: 3
    query: '''
customMetrics
| where name == 'skerry.dead_letters'
| summarize value = sum(valueSum) by bin(timestamp, 1m)
'''
    threshold: 0
  }
]

resource queryRule 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in queryRules: {
    name: rule.name
    location: location
    tags: tags
    properties: {
      displayName: rule.title
      description: 'See docs/operations.md, ${rule.name}.'
      severity: rule.severity
      enabled: true
      scopes: [
        applicationInsightsId
      ]
      evaluationFrequency: 'PT5M'
      // Rows arrive minutes after their time: a rule that looked at no more than five would never see the last of them.
      windowSize: 'PT15M'
      criteria: {
        allOf: [
          {
            query: rule.query
            metricMeasureColumn: 'value'
            timeAggregation: 'Maximum'
            operator: 'GreaterThan'
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: true
      // The metrics are not there before the app has sent its first.
      skipQueryValidation: true
      actions: {
        actionGroups: empty(email) ? [] : [people.id]
      }
    }
  }
]

var metricRules = [
  {
    name: 'skerry-dead-letters'
    title: 'Messages could not be handled'
    severity: 2
    scope: serviceBusId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'DeadletteredMessages'
    aggregation: 'Maximum'
    threshold: 0
    dimensions: [
      {
        name: 'EntityName'
        operator: 'Include'
        values: [
          '*'
        ]
      }
    ]
  }
  {
    name: 'skerry-throttling'
    title: 'Cosmos DB turns requests away'
    severity: 2
    scope: cosmosId
    namespace: 'Microsoft.DocumentDB/databaseAccounts'
    metric: 'TotalRequests'
    aggregation: 'Count'
    threshold: 100
    dimensions: [
      {
        name: 'StatusCode'
        operator: 'Include'
        values: [
          '429'
        ]
      }
    ]
  }
]

resource metricRule 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for rule in metricRules: {
    name: rule.name
    location: 'global'
    tags: tags
    properties: {
      description: '${rule.title}. See docs/operations.md, ${rule.name}.'
      severity: rule.severity
      enabled: true
      scopes: [
        rule.scope
      ]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT5M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: 'threshold'
            metricNamespace: rule.namespace
            metricName: rule.metric
            timeAggregation: rule.aggregation
            operator: 'GreaterThan'
            threshold: rule.threshold
            dimensions: rule.dimensions
          }
        ]
      }
      autoMitigate: true
      actions: empty(email)
        ? []
        : [
            {
              actionGroupId: people.id
            }
          ]
    }
  }
]
