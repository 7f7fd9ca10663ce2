package testserver

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// identify makes the certificates, and returns the arguments for them.
func (s *EtcdServer) identify(t testing.TB, dir string) []string {
	t.Helper()
	server, client, err := etcdIdentities()
	if err != nil {
		t.Fatal(err)
	}
	files := identify(t, dir, server)
	s.CA, s.CAFile = server.Pool(), files.ca
	s.ClientCertificate = client
	own := filepath.Join(dir, "client")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	clientFiles := identify(t, own, &Identity{Certificate: client, CA: server.CA})
	s.ClientCertificateFile, s.ClientKeyFile = clientFiles.certificate, clientFiles.key
	return []string{
		"--cert-file", files.certificate, "--key-file", files.key, "--client-cert-auth", "--trusted-ca-file", files.ca,
	}
}

// etcdIdentities makes a server's and a client's certificate of one authority. The server's is for clients too: etcd
// uses it to call itself for what comes by HTTP.
func etcdIdentities() (*Identity, tls.Certificate, error) {
	authority := certificate("hawser test authority")
	authority.IsCA, authority.KeyUsage = true, x509.KeyUsageCertSign
	ca, caKey, err := sign(authority, authority, nil)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	own := func(name string, usages ...x509.ExtKeyUsage) (tls.Certificate, error) {
		template := certificate(name)
		template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, usages
		template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
		leaf, key, err := sign(template, ca, caKey)
		if err != nil {
			return tls.Certificate{}, err
		}
		return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
	}
	server, err := own("localhost", x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	client, err := own("hawser test client", x509.ExtKeyUsageClientAuth)
	return &Identity{Certificate: server, CA: ca}, client, err
}
