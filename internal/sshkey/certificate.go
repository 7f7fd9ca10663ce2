package sshkey

import (
	"bytes"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// WithCertificate returns a signer that logs in with certificate, the text of
// an OpenSSH user certificate as ssh-keygen writes it into id_xxx-cert.pub, and
// signs with signer, the key that the certificate is for. It signs with the
// algorithms that signer has, so rsa-sha2-256 and rsa-sha2-512 keep working.
//
// Whether the certificate has expired, and who may log in with it, is for the
// server to judge. The first certificate of the text counts; comments and blank
// lines are skipped.
//
// Errors match [ErrCertificate].
func WithCertificate(signer ssh.Signer, certificate []byte) (ssh.Signer, error) {
	cert, err := readCertificate(certificate)
	if err != nil {
		return nil, err
	}
	if cert.CertType != ssh.UserCert {
		return nil, fmt.Errorf("%w: it is a host certificate: sign the public key without the -h of ssh-keygen -s",
			ErrCertificate)
	}
	if !bytes.Equal(cert.Key.Marshal(), signer.PublicKey().Marshal()) {
		return nil, fmt.Errorf("%w: it is for the key %s, but the private key is %s: name the pair that belongs together",
			ErrCertificate, ssh.FingerprintSHA256(cert.Key), ssh.FingerprintSHA256(signer.PublicKey()))
	}
	joined, err := ssh.NewCertSigner(cert, signer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return joined, nil
}

func readCertificate(text []byte) (*ssh.Certificate, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%w: %d bytes are too many for a certificate file, at most %d are read",
			ErrCertificate, len(text), maxFile)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(trim(text))
	if err != nil {
		return nil, fmt.Errorf("%w: no line of the form ssh-...-cert-v01@openssh.com AAAA...: "+
			"name the file that ends in -cert.pub", ErrCertificate)
	}
	cert, ok := public.(*ssh.Certificate)
	if !ok {
		return nil, fmt.Errorf("%w: it is a plain public key of type %s: name the file that ends in -cert.pub",
			ErrCertificate, public.Type())
	}
	return cert, nil
}
