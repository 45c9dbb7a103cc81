package amqptest

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

// TLS says where the broker's TLS listener is and which files go with it. The listener
// refuses clients without a certificate of its authority.
type TLS struct {
	URL string // amqps://...@localhost:...; the certificate is for localhost, 127.0.0.1 and ::1

	CA, Cert, Key                string // the server's authority; a client's certificate and key from it
	WrongCA, WrongCert, WrongKey string // an authority whom neither side believes, and a client of its making
}

// TLSFiles returns the shared broker's. A broker that is not a private node has none, and
// the test is skipped with that reason.
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

// Config is what a client needs to get in.
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
