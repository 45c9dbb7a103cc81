package amqptest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// OAuth is a broker that nobody else uses, and that takes OAuth 2 tokens as passwords, beside the
// passwords of its users. It is its own authorization server: see Token.
type OAuth struct {
	*Broker
	key []byte
}

// audience is the resource server that the tokens are for.
const audience = "bunnicula"

// StartOAuth starts such a broker, with these settings too.
func StartOAuth(t testing.TB, settings ...Setting) OAuth {
	t.Helper()
	b := newBroker(t, append(settings, Setting{"auth_backends", "[rabbit_auth_backend_oauth2, rabbit_auth_backend_internal]"}))
	b.node["BROKER_PLUGINS"] = "rabbitmq_auth_backend_oauth2"
	b.Start()
	b.started()
	o := OAuth{Broker: b, key: make([]byte, 32)}
	if _, err := rand.Read(o.key); err != nil {
		t.Fatal(err)
	}
	// Set at runtime: a file of keys would have to be where the broker's chroot sees it.
	b.eval(fmt.Sprintf(`application:set_env(rabbitmq_auth_backend_oauth2, resource_server_id, <<"%s">>),
application:set_env(rabbitmq_auth_backend_oauth2, key_config, [{default_key, <<"test">>},
{signing_keys, #{<<"test">> => {map, #{<<"kty">> => <<"oct">>, <<"k">> => <<"%s">>}}}}])`,
		audience, base64.RawURLEncoding.EncodeToString(o.key)))
	return o
}

// Token makes a token of that user which allows everything in every vhost. It is a JSON Web Token
// (RFC 7519), signed with HMAC-SHA256 (RFC 7515). The broker counts its life in whole seconds, and
// lets it end at expires or up to a second before.
func (o OAuth) Token(user string, expires time.Time) string {
	header := encoded(map[string]any{"alg": "HS256", "typ": "JWT", "kid": "test"})
	scope := strings.ReplaceAll("A.configure:*/* A.write:*/* A.read:*/*", "A", audience)
	claims := encoded(map[string]any{"sub": user, "aud": []string{audience}, "scope": scope, "exp": expires.Unix(), "jti": unique()})
	mac := hmac.New(sha256.New, o.key)
	mac.Write([]byte(header + "." + claims))
	return header + "." + claims + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func encoded(part map[string]any) string {
	text, err := json.Marshal(part)
	if err != nil {
		panic(err) // the parts are ours
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
