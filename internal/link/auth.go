package link

import (
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// auth prefers what the URL asks for; EXTERNAL takes the user from the client certificate.
func (t Target) auth(properties amqp.Table) []amqp.Authentication {
	plain := &plain{amqp.PlainAuth{Username: t.Username, Password: t.Password}, properties}
	if slices.ContainsFunc(t.SASL, func(m string) bool { return strings.EqualFold(m, "external") }) {
		return []amqp.Authentication{&external{amqp.ExternalAuth{}, properties}, plain}
	}
	return []amqp.Authentication{plain}
}

// plain and external ask the broker to say why it does not let us in. Without that it
// closes the socket in silence, which cannot be told from a network that does so in the middle of
// a handshake; and the one is permanent, the other is not. The library sets the capabilities
// itself, just before it asks for the Response.
type plain struct {
	amqp.PlainAuth
	properties amqp.Table
}

func (a *plain) Response() string {
	sayWhy(a.properties)
	return a.PlainAuth.Response()
}

type external struct {
	amqp.ExternalAuth
	properties amqp.Table
}

func (a *external) Response() string {
	sayWhy(a.properties)
	return a.ExternalAuth.Response()
}

func sayWhy(properties amqp.Table) {
	if capabilities, ok := properties["capabilities"].(amqp.Table); ok {
		capabilities["authentication_failure_close"] = true
	}
}
