package connection_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// authority signs certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate, as PEM
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t), file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(a.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// server returns a certificate for localhost and 127.0.0.1, after change has altered it.
func (a *authority) server(change func(*x509.Certificate)) tls.Certificate {
	a.t.Helper()
	key := newKey(a.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "broker"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// peer listens in the place of a broker. It keeps the first bytes that a client sends after the
// handshake.
type peer struct {
	addr string

	mu   sync.Mutex
	told []byte
}

// newPeer starts a peer. answer turns a new TCP connection into the one on which AMQP is spoken.
func newPeer(t testing.TB, answer func(net.Conn) net.Conn) *peer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{addr: listener.Addr().String()}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(conn, answer) })
		}
	})
	return p
}

// serve reads from one client, until that has ended its handshake and sent eight bytes.
func (p *peer) serve(raw net.Conn, answer func(net.Conn) net.Conn) {
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	conn := answer(raw)
	if conn == nil {
		return
	}
	b := make([]byte, 8)
	n, _ := conn.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, b[:n]...)
}

// heard says whether a handshake has succeeded and the client has begun to speak AMQP.
func (p *peer) heard() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.HasPrefix(p.told, []byte("AMQP"))
}

func speakTLS(cfg *tls.Config) func(net.Conn) net.Conn {
	return func(raw net.Conn) net.Conn { return tls.Server(raw, cfg) }
}

// choose answers as a server does that knows no version newer than this one, and that does not
// report that by an alert.
func choose(version byte) func(net.Conn) net.Conn {
	return func(raw net.Conn) net.Conn {
		if _, err := raw.Read(make([]byte, 1)); err != nil {
			return nil
		}
		hello := append([]byte{3, version}, make([]byte, 32)...) // version, random
		// No session, ECDHE-ECDSA-AES128-SHA, no compression.
		hello = append(hello, 0, 0xc0, 0x09, 0)
		hello = append([]byte{2, 0, 0, byte(len(hello))}, hello...)
		_, _ = raw.Write(append([]byte{22, 3, version, 0, byte(len(hello))}, hello...))
		_, _ = raw.Read(make([]byte, 1<<14))
		return nil
	}
}

func certified(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// Each of these peers is refused before the client sends anything to it. It is accepted once the
// Config allows the one thing that is wrong with it. That shows that this thing is the reason.
func TestAPeerWhoIsNotTheBrokerHearsNothingFromUs(t *testing.T) {
	ca := newAuthority(t)
	good := ca.server(nil)
	yesterday := func() time.Time { return time.Now().Add(-24 * time.Hour) }
	tomorrow := func() time.Time { return time.Now().Add(24 * time.Hour) }
	old := certified(good)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	latest := certified(good)
	latest.MaxVersion = tls.VersionTLS12
	for name, c := range map[string]struct {
		answer func(net.Conn) net.Conn
		cfg    connection.Config
		want   string
		right  connection.Config
	}{
		"it has a certificate of an authority that the system does not know": {
			speakTLS(certified(good)), connection.Config{},
			"its certificate is not trusted: x509: certificate signed by unknown authority", connection.Config{CAFile: ca.file}},
		"the same, with an empty tls.Config": {
			speakTLS(certified(good)), connection.Config{TLS: &tls.Config{}},
			"its certificate is not trusted: x509: certificate signed by unknown authority", connection.Config{CAFile: ca.file}},
		"it has a certificate of another authority": {
			speakTLS(certified(good)), connection.Config{CAFile: newAuthority(t).file},
			"its certificate is not trusted: x509: certificate signed by unknown authority", connection.Config{CAFile: ca.file}},
		"its certificate has another name": {
			speakTLS(certified(ca.server(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"rabbit.example.com"}, nil }))),
			connection.Config{CAFile: ca.file},
			"its certificate is not trusted: x509: cannot validate certificate for 127.0.0.1",
			connection.Config{CAFile: ca.file, TLS: &tls.Config{ServerName: "rabbit.example.com"}}},
		"its certificate has expired": {
			speakTLS(certified(ca.server(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }))),
			connection.Config{CAFile: ca.file},
			"its certificate is not trusted: x509: certificate has expired",
			connection.Config{CAFile: ca.file, TLS: &tls.Config{Time: yesterday}}},
		"its certificate is not valid yet": {
			speakTLS(certified(ca.server(func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(48*time.Hour)
			}))),
			connection.Config{CAFile: ca.file},
			"is not yet valid",
			connection.Config{CAFile: ca.file, TLS: &tls.Config{Time: tomorrow}}},
		"its certificate is a client's": {
			speakTLS(certified(ca.server(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }))),
			connection.Config{CAFile: ca.file},
			"its certificate is not trusted: x509: certificate specifies an incompatible key usage",
			connection.Config{CAFile: ca.file, TLS: &tls.Config{InsecureSkipVerify: true}}},
		"it knows TLS up to 1.1": {
			speakTLS(old), connection.Config{CAFile: ca.file},
			"no version of TLS in common", connection.Config{CAFile: ca.file, TLS: &tls.Config{MinVersion: tls.VersionTLS11}}},
		"it knows TLS up to 1.2, and we want 1.3": {
			speakTLS(latest), connection.Config{CAFile: ca.file, TLS: &tls.Config{MinVersion: tls.VersionTLS13}},
			"no version of TLS in common", connection.Config{CAFile: ca.file}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused := newPeer(t, c.answer)
			c.cfg.URL = "amqps://user:password@" + refused.addr
			_, err := connect(t, c.cfg).Transport().Publishing().Session(soon(t))
			if !transport.Permanent(err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if refused.heard() {
				t.Error("we spoke to it all the same")
			}

			accepted := newPeer(t, c.answer)
			c.right.URL = "amqps://user:password@" + accepted.addr
			conn := connect(t, c.right)
			go conn.Transport().Publishing().Session(within(t, 5*time.Second)) //nolint:errcheck // it ends when the peer has heard enough
			amqptest.Eventually(t, 5*time.Second, accepted.heard, "it is refused for something else")
		})
	}
}

// A handshake runs in a goroutine of ours, where a panic would end the process.
func TestAPanicOfATLSConfigurationIsAnError(t *testing.T) {
	ca := newAuthority(t)
	p := newPeer(t, speakTLS(certified(ca.server(nil))))
	cfg := connection.Config{URL: "amqps://user:password@" + p.addr, CAFile: ca.file, TLS: &tls.Config{
		VerifyConnection: func(tls.ConnectionState) error { panic("boom") },
	}}
	conn := connect(t, cfg)
	if _, err := conn.Transport().Publishing().Session(within(t, time.Second)); err == nil {
		t.Fatal("there is a session")
	}
	if err := conn.Health().Publishing.Err; err == nil || !strings.Contains(err.Error(), "a function of the TLS configuration panicked: boom") {
		t.Errorf("got %v", err)
	}
	if p.heard() {
		t.Error("we spoke to it all the same")
	}
}

func TestAPeerWhoAnswersWithAnOldVersionIsRefusedForGood(t *testing.T) {
	for name, c := range map[string]struct {
		version byte
		cfg     *tls.Config
	}{
		"1.0":                  {1, nil},
		"1.1":                  {2, nil},
		"1.2 when we want 1.3": {3, &tls.Config{MinVersion: tls.VersionTLS13}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, choose(c.version))
			_, err := connect(t, connection.Config{URL: "amqps://user:password@" + p.addr, TLS: c.cfg}).Transport().Publishing().Session(soon(t))
			if !transport.Permanent(err) || !strings.Contains(err.Error(), "no version of TLS in common") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// RabbitMQ's own clients know some of these parameters, and people try the others.
func TestNothingInAURLSwitchesVerificationOff(t *testing.T) {
	ca := newAuthority(t)
	for _, query := range []string{
		"verify=verify_none", "verify=none", "verify=false", "verify_peer=false", "fail_if_no_peer_cert=false", "insecure=true",
		"insecure_skip_verify=true", "ssl=false", "tls=false", "sslmode=disable", "cacertfile=", "server_name_indication=disable", "server_name_indication=",
		"depth=0", "auth_mechanism=external", "auth_mechanism=plain",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, speakTLS(certified(ca.server(nil))))
			cfg := connection.Config{URL: "amqps://user:password@" + p.addr + "/?" + query}
			_, err := connect(t, cfg).Transport().Publishing().Session(soon(t))
			if !transport.Permanent(err) || !strings.Contains(err.Error(), "its certificate is not trusted") || p.heard() {
				t.Errorf("spoken to: %t; got %v", p.heard(), err)
			}
		})
	}
}

func TestTheNameInTheURLIsTheOneThatIsVerified(t *testing.T) {
	ca := newAuthority(t)
	named := ca.server(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"rabbit.example.com"}, nil })
	for name, heard := range map[string]bool{"rabbit.example.com": true, "rabbit.example.org": false} {
		p := newPeer(t, speakTLS(certified(named)))
		given := &tls.Config{}
		conn := connect(t, connection.Config{URL: "amqps://u:p@" + p.addr + "/?server_name_indication=" + name, CAFile: ca.file, TLS: given})
		go conn.Transport().Publishing().Session(within(t, 5*time.Second)) //nolint:errcheck // it ends when the peer has heard enough
		amqptest.Eventually(t, 5*time.Second, func() bool { return conn.Health().Publishing.Err != nil }, "nothing happens")
		if p.heard() != heard {
			t.Errorf("%s: spoken to: %t, want %t: %v", name, p.heard(), heard, conn.Health().Publishing.Err)
		}
		if given.ServerName != "" || given.MinVersion != 0 || given.RootCAs != nil {
			t.Errorf("the caller's tls.Config was written to: %+v", given)
		}
	}
}

// Somebody who names an authority does not want the password to be sent unencrypted.
func TestAURLWithTLSParametersButWithoutTLSIsRefused(t *testing.T) {
	for _, parameter := range []string{"cacertfile", "certfile", "keyfile", "server_name_indication"} {
		for _, cfg := range []connection.Config{
			{URL: "amqp://user:password@127.0.0.1/?" + parameter + "=x"},
			{URLs: []string{"amqps://a", "amqp://user:password@127.0.0.1/?" + parameter + "=x"}},
		} {
			_, err := connection.New(cfg, nil)
			if want := "begins with amqp://, but has the parameter " + parameter + "; want amqps://"; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	}
}

// Applications keep their settings in a struct, and log or serve that as JSON.
func TestAConfigIsMarshalledWithoutItsPassword(t *testing.T) {
	cfg := connection.Config{
		URL: "amqp://user:s3cr3tURL@127.0.0.1", URLs: []string{"amqp://user:s3cr3tURL@127.0.0.1"}, Password: "s3cr3tXYZ",
	}
	for name, cfg := range map[string]connection.Config{
		"invalid": cfg, "URL": {URL: cfg.URL, Password: cfg.Password}, "URLs": {URLs: cfg.URLs}, "Host": {Host: "127.0.0.1", Password: cfg.Password},
	} {
		type settings struct {
			Port   int
			Rabbit connection.Config
			Other  *connection.Config
		}
		own := settings{80, cfg, &cfg}
		var shown bytes.Buffer
		for _, v := range []any{cfg, &cfg, own, &own, []connection.Config{cfg}, map[string]any{"rabbit": cfg}} {
			text, err := json.Marshal(v)
			if err != nil {
				t.Errorf("%s: JSON of %T: %v", name, v, err)
			}
			shown.Write(text)
			slog.New(slog.NewJSONHandler(&shown, nil)).Info("settings", "v", v)
			slog.New(slog.NewTextHandler(&shown, nil)).Info("settings", "v", v)
			fmt.Fprintf(&shown, "%v\n%+v\n%#v\n%s\n%q\n%x\n%d\n%t\n", v, v, v, v, v, v, v, v)
		}
		text, err := xml.Marshal(own)
		if err != nil {
			t.Errorf("%s: XML: %v", name, err)
		}
		shown.Write(text)
		for line := range strings.Lines(shown.String()) {
			if strings.Contains(line, "s3cr3t") {
				t.Errorf("%s: the password is shown: %s", name, line)
			}
		}
		if !strings.Contains(shown.String(), "connection.Config{") {
			t.Errorf("%s: nothing is shown", name)
		}
	}
	var read connection.Config
	if err := json.Unmarshal([]byte(`{"URL": "amqp://h", "Name": "shop"}`), &read); err != nil || read.URL != "amqp://h" || read.Name != "shop" {
		t.Errorf("a Config cannot be read from JSON any more: %v, %v", read, err)
	}
}
