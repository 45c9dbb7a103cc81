package connection_test

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
)

// setenv sets these variables, and unsets all others that ConfigFromEnv reads.
func setenv(t *testing.T, env map[string]string) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AMQP_") {
			t.Setenv(name, "") // so that the test's end restores it
			_ = os.Unsetenv(name)
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func TestConfigFromEnvReadsWhatIsSet(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want connection.Config
	}{
		"nothing": {nil, connection.Config{}},
		"a URL":   {map[string]string{"AMQP_URL": " amqp://u:p@h/v "}, connection.Config{URL: "amqp://u:p@h/v"}},
		"two URLs": {map[string]string{"AMQP_URL": "amqp://a , amqps://b"},
			connection.Config{URLs: []string{"amqp://a", "amqps://b"}}},
		"a password with a comma": {map[string]string{"AMQP_URL": "amqp://u:p,q@a,amqp://u:p,q@b"},
			connection.Config{URLs: []string{"amqp://u:p,q@a", "amqp://u:p,q@b"}}},
		"the rest": {map[string]string{"AMQP_USERNAME": "u", "AMQP_PASSWORD": "p", "AMQP_VHOST": "v", "AMQP_CONNECTION_NAME": "n", "AMQP_HEARTBEAT": "20"},
			connection.Config{Username: "u", Password: "p", VHost: "v", Name: "n", Heartbeat: 20 * time.Second}},
		"a duration": {map[string]string{"AMQP_HEARTBEAT": "1m"}, connection.Config{Heartbeat: time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, c.env)
			got, err := connection.ConfigFromEnv()
			got.KnowsNoVariable()
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestConfigFromEnvNamesTheVariable(t *testing.T) {
	for want, env := range map[string]map[string]string{
		"connection: AMQP_URL is not a URL":                           {"AMQP_URL": "localhost:s3cr3t"},
		"connection: AMQP_URL[1] has the port 0":                      {"AMQP_URL": "amqp://a,amqp://u:s3cr3t@b:0"},
		"connection: AMQP_HEARTBEAT is \"often\"":                     {"AMQP_HEARTBEAT": "often"},
		"connection: AMQP_HEARTBEAT is \"0\"":                         {"AMQP_HEARTBEAT": "0"},
		"connection: AMQP_HEARTBEAT is 500ms":                         {"AMQP_HEARTBEAT": "500ms"},
		"connection: AMQP_HEARTBEAT is \"-5\"":                        {"AMQP_HEARTBEAT": "-5"},
		"connection: AMQP_CONNECTION_NAME is":                         {"AMQP_CONNECTION_NAME": strings.Repeat("x", 300)},
		"connection: AMQP_KEY_FILE is empty":                          {"AMQP_CERT_FILE": "/no", "AMQP_URL": "amqps://a"},
		"connection: AMQP_CA_FILE: open /no":                          {"AMQP_CA_FILE": "/no", "AMQP_URL": "amqps://a"},
		"connection: AMQP_URL begins with amqp://, but CAFile is set": {"AMQP_CA_FILE": "/no", "AMQP_URL": "amqp://a"},
	} {
		setenv(t, env)
		_, err := connection.ConfigFromEnv()
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	setenv(t, map[string]string{"AMQP_CA_FILE": "/no", "AMQP_URL": "amqps://a"})
	if _, err := connection.ConfigFromEnv(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v hides its cause", err)
	}
}

func TestVariablesCanComeFromElsewhere(t *testing.T) {
	setenv(t, map[string]string{"AMQP_URL": "amqp://env", "AMQP_USERNAME": "env"})
	c, err := connection.ConfigFrom(func(name string) string {
		return map[string]string{"AMQP_URL": "amqp://flag", "AMQP_VHOST": "v"}[name]
	})
	if err != nil || c.URL != "amqp://flag" || c.VHost != "v" || c.Username != "" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestAllWrongVariablesAreNamedTogether(t *testing.T) {
	_, err := connection.ConfigFrom(func(name string) string {
		return map[string]string{"AMQP_URL": "nowhere", "AMQP_CERT_FILE": "c.pem", "AMQP_CONNECTION_NAME": "a\x00"}[name]
	})
	for _, want := range []string{"AMQP_URL is not a URL", "AMQP_KEY_FILE is empty, but", "AMQP_CONNECTION_NAME is"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
}
