// Package oncetest checks what outbox.Once promises, whatever database and library it stands on.
// Its scripts run messages through a consumer without a broker.
package oncetest
