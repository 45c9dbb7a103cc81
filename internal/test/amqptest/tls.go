package amqptest

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

// TLS is the broker's TLS listener and its files. The listener refuses clients without a
// certificate of its authority.
type TLS struct {
	// The certificate is for localhost, 127.0.0.1 and ::1.
	URL string

	// The server's authority; a client's certificate and key from it.
	CA, Cert, Key string
	// An authority that neither side trusts; a client's certificate and key from it.
	WrongCA, WrongCert, WrongKey string
}

// TLSFiles returns those of the shared broker. A broker that is not a private node has none; then
// the test is skipped, with that reason.
func TLSFiles(t testing.TB) TLS {
	t.Helper()
	e := ours(t, "TLS")
	files := tlsOf(e)
	if _, err := os.Stat(files.CA); files.URL == "" || err != nil {
		t.Fatalf("amqptest: no certificates in %q: run scripts/broker up", e["BUNNICULA_TLS_DIR"])
	}
	return files
}

func tlsOf(e environment) TLS {
	file := func(name string) string { return filepath.Join(e["BUNNICULA_TLS_DIR"], name) }
	return TLS{
		URL: e["AMQPS_URL"],
		CA:  file("ca.pem"), Cert: file("client.pem"), Key: file("client.key"),
		WrongCA: file("wrong-ca.pem"), WrongCert: file("wrong-client.pem"), WrongKey: file("wrong-client.key"),
	}
}

// Config returns the configuration of a client that the listener accepts.
func (f TLS) Config(t testing.TB) *tls.Config {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{RootCAs: pool(t, f.CA), Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
}

func pool(t testing.TB, file string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("amqptest: no certificate in %s", file)
	}
	return roots
}
