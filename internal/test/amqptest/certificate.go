package amqptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// TLS returns the node's own TLS listener, as [TLSFiles] does for the shared broker.
func (b *Broker) TLS() TLS { return b.tls }

// Certificate gives the node another server certificate of the same authority, which new
// connections get at once. It is valid for this long; a negative validity means that it has
// expired. It stays over restarts.
func (b *Broker) Certificate(validity time.Duration) {
	b.t.Helper()
	dir := filepath.Dir(b.tls.CA)
	authority, err := tls.LoadX509KeyPair(b.tls.CA, filepath.Join(dir, "ca.key"))
	if err != nil {
		b.t.Fatalf("amqptest: certificate: %v", err)
	}
	certificate, key, err := issue(authority, validity)
	if err != nil {
		b.t.Fatalf("amqptest: certificate: %v", err)
	}
	for name, content := range map[string][]byte{"server.pem": certificate, "server.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			b.t.Fatalf("amqptest: certificate: %v", err)
		}
	}
	// The node reads the files for each connection, but through a cache.
	b.eval("ssl:clear_pem_cache()")
}

func issue(authority tls.Certificate, validity time.Duration) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    now.Add(min(0, validity) - time.Hour),
		NotAfter:     now.Add(validity),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, authority.Leaf, private.Public(), authority.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}
