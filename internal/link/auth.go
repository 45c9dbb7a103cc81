package link

import (
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// auth returns the mechanisms in the order in which they are tried: EXTERNAL first if the URL asks
// for it, then PLAIN. With EXTERNAL the broker takes the user from the client certificate.
func (t Target) auth(properties amqp.Table) []amqp.Authentication {
	plain := &plain{amqp.PlainAuth{Username: t.Username, Password: t.Password}, properties}
	if slices.ContainsFunc(t.SASL, func(m string) bool { return strings.EqualFold(m, "external") }) {
		return []amqp.Authentication{&external{amqp.ExternalAuth{}, properties}, plain}
	}
	return []amqp.Authentication{plain}
}

// plain and external ask the broker to say why it refuses a login. A broker that is not asked
// closes the socket in silence. That looks like a network that fails during the handshake, which is
// temporary, while a refusal is permanent. The capability is set in Response because the library
// sets the capabilities itself just before it calls that.
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
