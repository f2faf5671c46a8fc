metadata description = 'Tells when the resource group costs more than it should. It stops nothing.'

@description('Amount for each month, in the currency of the subscription.')
@minValue(1)
param amount int

@description('First day of the month that it begins with. It cannot be changed once the budget is there.')
param start string

@description('Who is told; empty for the owners of the subscription.')
param email string

var contacts = {
  contactEmails: empty(email) ? [] : [email]
  contactRoles: empty(email) ? ['Owner'] : []
}

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: 'skerry'
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: start
    }
    notifications: {
      forecast: union(contacts, {
        enabled: true
        thresholdType: 'Forecasted'
        operator: 'GreaterThan'
        threshold: 100
      })
      most: union(contacts, {
        enabled: true
        thresholdType: 'Actual'
        operator: 'GreaterThan'
        threshold: 80
      })
      all: union(contacts, {
        enabled: true
        thresholdType: 'Actual'
        operator: 'GreaterThan'
        threshold: 100
      })
    }
  }
}
