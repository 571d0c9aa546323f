// A mail to the subscription's owners, and to whom else is named, before the month costs more than was meant.

param environmentName string

@description('A month, in the currency of the subscription.')
param amount int

@description('First day of a month, this or a later one; the start of an existing budget cannot be changed.')
param start string
param contactEmails array

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: 'budget-fraudsense-${environmentName}'
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: start
    }
    notifications: {
      spent: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 80
        thresholdType: 'Actual'
        contactRoles: ['Owner']
        contactEmails: contactEmails
      }
      foreseen: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 100
        thresholdType: 'Forecasted'
        contactRoles: ['Owner']
        contactEmails: contactEmails
      }
    }
  }
}
