package connection_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
)

func TestAWrongConfigIsAnErrorThatNamesTheField(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]connection.Config{
		"URL is not a URL":                           {URL: "localhost:5672"},
		`URL has the scheme "http", want amqp or`:    {URL: "http://localhost"},
		"URL does not begin with amqp://":            {URL: "://localhost"},
		"URL cannot be parsed":                       {URL: "amqp://localhost:port"},
		"URL has the port 70000":                     {URL: "amqp://localhost:70000"},
		"URL has the port 0":                         {URL: "amqp://localhost:0"},
		"URL is not a valid AMQP URL":                {URL: "amqp://localhost/v w"},
		`heartbeat="often"`:                          {URL: "amqp://localhost?heartbeat=often"},
		`connection_timeout="soon"`:                  {URL: "amqp://localhost?connection_timeout=soon"},
		"URLs[1] is not a URL":                       {URLs: []string{"amqp://a", "b"}},
		"URLs[0] is not a URL":                       {URLs: []string{""}},
		"URL, URLs and Host are not to be given":     {URL: "amqp://a", URLs: []string{"amqp://b"}},
		"together, only one of them":                 {URL: "amqp://a", Host: "b"},
		"are not to be given together":               {URLs: []string{"amqp://a"}, Host: "b"},
		"Port is 5672, but Host is empty":            {Port: 5672},
		"a URL carries its own port":                 {URL: "amqp://a", Port: 1},
		"Port is -1":                                 {Host: "a", Port: -1},
		"Port is 65536":                              {Host: "a", Port: 65536},
		"Host is not a host name or address; a port": {Host: "a:5672"},
		"a URL into URL":                             {Host: "amqp://a"},
		"Host is not":                                {Host: "[::1]"},
		"VHost is 256 bytes long":                    {VHost: strings.Repeat("v", 256)},
		`VHost is "%2Fmain", which is`:               {VHost: "%2Fmain"},
		`as in a URL, want "/main"; a vhost`:         {Host: "a", VHost: "%2fmain"},
		"with %25 for the sign":                      {VHost: "100%25"},
		`in a URL, want "/a%"; a vhost`:              {VHost: "%2Fa%"},
		"Name is":                                    {Name: strings.Repeat("n", 201)},
		"Version is":                                 {Version: strings.Repeat("v", 256)},
		`Name is "a\nb"`:                             {Name: "a\nb"},
		"KeyFile is empty, but CertFile is not":      {Host: "a", CertFile: "c.pem"},
		"CertFile is empty, but KeyFile is not":      {Host: "a", KeyFile: "c.key"},
		"CAFile: open /no/such":                      {Host: "a", CAFile: "/no/such"},
		"holds no PEM certificate":                   {Host: "a", CAFile: empty},
		`CertFile, KeyFile: "/no/c", "/no/k": open`:  {Host: "a", CertFile: "/no/c", KeyFile: "/no/k"},
		`CertFile, KeyFile: "/no/c", "": open`:       {URL: "amqps://a?certfile=/no/c"},
		"URL begins with amqp://, but CAFile is set": {URL: "amqp://a", CAFile: empty},
		"URLs[1] begins with amqp://, but TLS is":    {URLs: []string{"amqps://a", "amqp://b"}, TLS: &tls.Config{}},
		"Heartbeat is 500ms, want 1s":                {Heartbeat: 500 * time.Millisecond},
		"Heartbeat is 1.5s, want whole seconds":      {Heartbeat: 1500 * time.Millisecond},
		"Heartbeat is -1s":                           {Heartbeat: -time.Second},
		"DialTimeout is -1s":                         {DialTimeout: -time.Second},
		"ReplyTimeout is 2h0m0s":                     {ReplyTimeout: 2 * time.Hour},
		"MinBackoff is -1s":                          {MinBackoff: -time.Second},
		"MaxBackoff is 48h0m0s":                      {MaxBackoff: 48 * time.Hour},
		"MinBackoff is 2s, above MaxBackoff 1s":      {MinBackoff: 2 * time.Second, MaxBackoff: time.Second},
		"has an @ or # in the wrong place":           {URL: "amqp://a#b"},
		"URL holds several URLs, which go into URLs": {URL: "amqp://a, amqp://b"},
	} {
		_, err := connection.New(cfg, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "connection: ") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := connection.New(connection.Config{Host: "a", CAFile: "/no/such"}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v hides its cause", err)
	}
}

func TestAConfigIsShownWithWhereItConnects(t *testing.T) {
	for want, cfg := range map[string]connection.Config{
		"amqp://guest@localhost:5672/%2F":      {},
		"amqp://u@h:5672/v":                    {URL: "amqp://u:p@h/v"},
		"amqp://guest@h:5672/a%2Fb":            {URL: "amqp://h/a%2fb"},
		"amqps://u@h:5671/%2F":                 {URL: "amqps://u:p@h"},
		"amqp://a@[::1]:1/%2F":                 {URL: "amqp://a:b@[::1]:1"},
		"amqp://guest@[::1]:5672/%2F":          {Host: "::1"},
		"amqps://guest@h:5671/%2F":             {Host: "h", TLS: &tls.Config{}},
		"amqps://me@h:99/mine":                 {Host: "h", Port: 99, TLS: &tls.Config{}, Username: "me", VHost: "mine"},
		"amqp://guest@localhost:5672/%2Fmain":  {VHost: "/main"},
		"amqp://guest@localhost:5672/100%25":   {VHost: "100%"},
		"amqp://guest@h:5672/%252Fmain":        {URL: "amqp://h/%252Fmain"},
		"amqp://me@h:5672/mine":                {URL: "amqp://u:p@h/v", Username: "me", VHost: "mine"},
		"amqp://u@a:5672/v,amqps://u@b:5671/v": {URLs: []string{"amqp://u:p@a/v", "amqps://u:p@b/v"}},
		"connection.Config{invalid name=\"\"":  {URL: "amqp://" + "u:%zz@h"},
		`name="shop" heartbeat=3s}`:            {Name: "shop", Heartbeat: 3 * time.Second},
		`name="" heartbeat=10s}`:               {URL: "amqp://h?heartbeat=0"},
	} {
		if got := cfg.String(); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Passwords as people write them, percent-encoded or not. No error may show one.
func TestNoPasswordIsEverShown(t *testing.T) {
	for raw, secrets := range map[string][]string{
		"amqp://user:s3cr3tXYZ@127.0.0.1:1/v":                  {"s3cr3tXYZ"},
		"amqp://user:s3cr3t%40XYZ@127.0.0.1:1/v":               {"s3cr3t", "XYZ"},
		"amqp://user:s3cr3t@XYZ@127.0.0.1:1/v":                 {"s3cr3t", "XYZ"},
		"amqp://user:s3cr3t:XYZ@127.0.0.1:1/v":                 {"s3cr3t", "XYZ"},
		"amqp://user:s3cr3t/XYZ@127.0.0.1:1/v":                 {"s3cr3t", "XYZ"},
		"amqp://user:s3cr3t?XYZ@127.0.0.1:1/v":                 {"s3cr3t", "XYZ"},
		"amqp://user:s3cr3t#XYZ@127.0.0.1:1/v":                 {"s3cr3t", "XYZ"},
		"amqp://user:s3cr3t%zzXYZ@127.0.0.1:1/v":               {"s3cr3t", "XYZ"},
		"amqp://user:s3cr3t XYZ@127.0.0.1:1/v":                 {"s3cr3t", "XYZ"},
		"amqp://user:4711/XYZ@127.0.0.1:1/v":                   {"4711", "XYZ"},
		"amqp://user:4711?XYZ@127.0.0.1:1/v":                   {"4711", "XYZ"},
		"amqp://user:4711#XYZ@127.0.0.1:1/v":                   {"4711", "XYZ"},
		"user:s3cr3tXYZ@127.0.0.1:1/v":                         {"s3cr3tXYZ"},
		"user:s3cr3tXYZ@127.0.0.1:1/?then=http://a":            {"s3cr3tXYZ"},
		"http://user:s3cr3tXYZ@127.0.0.1:1/v":                  {"s3cr3tXYZ"},
		"amqp://user:s3cr3tXYZ@127.0.0.1:1/v?heartbeat=x":      {"s3cr3tXYZ"},
		"amqp://user:s3cr3tXYZ@127.0.0.1:99999999999/v":        {"s3cr3tXYZ"},
		"amqp://user:s3cr3tXYZ@:port/v":                        {"s3cr3tXYZ"},
		"amqps://user:s3cr3tXYZ@127.0.0.1:1?cacertfile=/no":    {"s3cr3tXYZ"},
		"amqp://user:s3cr3tXYZ@127.0.0.1:1/v?password=XYZ":     {"s3cr3tXYZ", "XYZ"},
		"amqp:/user:s3cr3tXYZ@127.0.0.1:1/v":                   {"s3cr3tXYZ"},
		"AMQP://user:s3cr3tXYZ@127.0.0.1:1/v":                  {"s3cr3tXYZ"},
		"amqp+tls://user:s3cr3tXYZ@127.0.0.1:1/v":              {"s3cr3tXYZ"},
		"amqp://user:s3cr3tXYZ@127.0.0.1:1,amqp://u:XYZ@b:1/v": {"s3cr3tXYZ", "XYZ"},
	} {
		for _, cfg := range []connection.Config{
			{URL: raw}, {URLs: []string{raw, raw}}, {Host: raw}, {URL: raw, Password: "0verr1de"}, {Name: "app", Password: "0verr1de", URL: raw, KeyFile: "/no"},
		} {
			t.Run(raw, func(t *testing.T) {
				t.Parallel()
				secrets := append(secrets[:len(secrets):len(secrets)], "0verr1de")
				var log output
				logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				logger.Info("config", "config", cfg, "pointer", &cfg)
				slog.New(slog.NewTextHandler(&log, nil)).Info("config", "config", cfg, "pointer", &cfg)
				var shown bytes.Buffer
				for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
					fmt.Fprintf(&shown, format+"\n", cfg)
					fmt.Fprintf(&shown, format+"\n", &cfg)
				}
				conn, err := connection.New(cfg, logger)
				if err != nil {
					fmt.Fprintf(&shown, "%v %+v\n", err, err)
				} else {
					_, err := conn.Transport().Publishing().Session(within(t, 150*time.Millisecond))
					fmt.Fprintf(&shown, "%v %+v\n", err, err)
					fmt.Fprintf(&shown, "%+v\n", conn.Health())
					if err := conn.Stop(soon(t)); err != nil {
						t.Error(err)
					}
					fmt.Fprintf(&shown, "%v %+v %#v %+v %#v\n", conn, conn, conn, conn.Transport().Publishing(), conn.Transport().Publishing())
				}
				for _, secret := range secrets {
					for line := range strings.Lines(shown.String() + log.String()) {
						if strings.Contains(line, secret) {
							t.Errorf("%q is shown: %s", secret, line)
						}
					}
				}
			})
		}
	}
}

func TestAllWrongFieldsAreReportedTogether(t *testing.T) {
	_, err := connection.New(connection.Config{URL: "nowhere", Heartbeat: -1, DialTimeout: -2, Name: "a\x00", CertFile: "c"}, nil)
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, want := range []string{"URL is not", "Heartbeat is -1ns", "DialTimeout is -2ns", "Name is", "KeyFile is empty"} {
		if !strings.Contains(err.Error(), "connection: "+want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}
