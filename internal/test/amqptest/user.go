package amqptest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// User makes a user of the shared broker until the end of the test, who may do what these patterns
// match.
func User(t testing.TB, name, password, configure, write, read string) {
	t.Helper()
	address, err := url.Parse(URL(t))
	if err != nil {
		t.Fatal("amqptest: AMQP_URL is not a URL")
	}
	vhost := strings.TrimPrefix(address.Path, "/")
	if vhost == "" {
		vhost = "/"
	}
	t.Cleanup(func() { account(t, "delete_user", name) })
	account(t, "add_user", name, password)
	account(t, "set_permissions", name, vhost, configure, write, read)
}

// ChangePassword gives a user of the shared broker another password.
func ChangePassword(t testing.TB, name, password string) {
	t.Helper()
	account(t, "change_password", name, password)
}

// account calls a function of the broker's users. scripts/broker ctl starts no Erlang for eval, as
// it does for add_user and the like, which take some two seconds of a processor each.
func account(t testing.TB, function string, args ...string) {
	t.Helper()
	var terms []string
	for _, arg := range append(args, "test") { // the last one is who does it
		bytes := fmt.Sprint([]byte(arg)) // [97 98]
		terms = append(terms, "<<"+strings.ReplaceAll(strings.Trim(bytes, "[]"), " ", ",")+">>")
	}
	code := "rabbit_auth_backend_internal:" + function + "(" + strings.Join(terms, ", ") + ")."
	if got := strings.TrimSpace(Ctl(t, "eval", code)); got != "ok" {
		t.Fatalf("amqptest: %s: %s", function, got)
	}
}
