package link_test

import (
	"crypto/tls"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/link"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func TestTheBrokerWantsACertificateAndGetsIt(t *testing.T) {
	files := amqptest.TLSFiles(t)
	u, err := url.Parse(files.URL)
	if err != nil {
		t.Fatal("the TLS URL is not one")
	}
	password, _ := u.User.Password()
	query := files.URL + "?cacertfile=" + files.CA + "&certfile=" + files.Cert + "&keyfile=" + files.Key
	for name, cfg := range map[string]connection.Config{
		"files":      {URL: files.URL, CAFile: files.CA, CertFile: files.Cert, KeyFile: files.Key},
		"query":      {URL: query},
		"tls.Config": {URL: files.URL, TLS: files.Config(t)},
		"Host": {Host: u.Hostname(), Port: port(t, u), Username: u.User.Username(), Password: password, VHost: strings.TrimPrefix(u.Path, "/"),
			CAFile: files.CA, CertFile: files.Cert, KeyFile: files.Key},
	} {
		t.Run(name, func(t *testing.T) { works(t, session(t, connect(t, cfg).Transport().Publishing())) })
	}
}

func port(t *testing.T, u *url.URL) (n int) {
	t.Helper()
	for _, digit := range u.Port() {
		n = n*10 + int(digit-'0')
	}
	return n
}

func TestAPeerThatCannotBeTrustedIsAPermanentError(t *testing.T) {
	files := amqptest.TLSFiles(t)
	for name, c := range map[string]struct {
		cfg  connection.Config
		want string
	}{
		"the broker's certificate is from another authority": {
			connection.Config{URL: files.URL, CAFile: files.WrongCA, CertFile: files.Cert, KeyFile: files.Key},
			"its certificate is not trusted: x509"},
		"the broker's certificate has another name": {
			connection.Config{URL: files.URL, TLS: &tls.Config{ServerName: "rabbit.example.com"}, CAFile: files.CA, CertFile: files.Cert, KeyFile: files.Key},
			"not rabbit.example.com"},
		"we give no certificate": {
			connection.Config{URL: files.URL, CAFile: files.CA}, "check CertFile, KeyFile"},
		"our certificate is from another authority": {
			connection.Config{URL: files.URL, CAFile: files.CA, CertFile: files.WrongCert, KeyFile: files.WrongKey}, "check CertFile, KeyFile"},
		"the port does not speak TLS": {
			connection.Config{URL: strings.Replace(amqptest.URL(t), "amqp://", "amqps://", 1), CAFile: files.CA}, "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := connect(t, c.cfg).Transport().Publishing().Session(soon(t))
			if !transport.Permanent(err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAMQPToATLSPortEndsWithAnError(t *testing.T) {
	files := amqptest.TLSFiles(t)
	conn := connect(t, connection.Config{URL: strings.Replace(files.URL, "amqps://", "amqp://", 1), DialTimeout: time.Second})
	_, err := conn.Transport().Publishing().Session(within(t, 2*time.Second))
	if err == nil {
		t.Error("no error")
	}
	t.Log(err)
}

func TestACutTLSConnectionIsOpenedAgain(t *testing.T) {
	files := amqptest.TLSFiles(t)
	// The proxy is at 127.0.0.1, for which the certificate is valid too.
	proxy := amqptest.NewProxy(t, files.URL)
	conn := connect(t, connection.Config{URL: proxy.URL(), CAFile: files.CA, CertFile: files.Cert, KeyFile: files.Key, Heartbeat: time.Second})
	s := session(t, conn.Transport().Publishing())
	proxy.Cut()
	ended(t, s)
	s = session(t, conn.Transport().Publishing())
	works(t, s)
	proxy.Freeze()
	stuck := make(chan error, 1)
	go func() { stuck <- link.Stuck(s) }()
	ended(t, s)
	if err := <-stuck; err == nil {
		t.Error("no error")
	}
	proxy.Thaw()
	works(t, session(t, conn.Transport().Publishing()))
}
