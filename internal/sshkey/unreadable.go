package sshkey

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
)

// explainUnreadable says what text is, given that it holds no private key that
// can be read, and what to do about it. The error matches [ErrFormat].
func explainUnreadable(text []byte) error {
	return fmt.Errorf("%w: %s", ErrFormat, nameUnreadable(text))
}

func nameUnreadable(text []byte) string {
	switch {
	case len(text) == 0:
		return "the file is empty"
	case isUTF16(text):
		return "it is UTF-16 text: save it again as ASCII or UTF-8"
	case isDER(text):
		return "it is binary DER or PKCS #12: convert it with openssl pkey -inform DER -in FILE -out NEWFILE, " +
			"or openssl pkcs12 -in FILE -nocerts -out NEWFILE"
	case bytes.HasPrefix(text, []byte("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----")):
		return "it is in the format of ssh.com: convert it with puttygen FILE -O private-openssh-new -o NEWFILE"
	case bytes.HasPrefix(text, []byte("SSH PRIVATE KEY FILE FORMAT 1.1")):
		return "it is a key of SSH version 1, which no server takes today: make a new one with ssh-keygen -t ed25519"
	case bytes.Contains(text, []byte("-----BEGIN PGP ")):
		return "it is a PGP key: name an SSH private key file"
	case hasPEMType(text, typeOpenSSH, typeRSA, typeEC, typeDSA, typePKCS8, typePKCS8Encrypted):
		return "it is a damaged PEM file: copy it again, with all its lines and line breaks"
	}
	return namePublic(text)
}

// namePublic names what is no secret and often mistaken for the private key.
func namePublic(text []byte) string {
	const half = "it is the public half; name the private key file"
	switch {
	case hasPEMType(text, "PUBLIC KEY", "RSA PUBLIC KEY"),
		bytes.HasPrefix(text, []byte("---- BEGIN SSH2 PUBLIC KEY ----")):
		return half
	case hasPEMType(text, "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE", "CERTIFICATE REQUEST",
		"NEW CERTIFICATE REQUEST"):
		return "it is an X.509 certificate without its key; name the private key file"
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return "it is neither OpenSSH, PEM, PKCS #8 nor PuTTY .ppk"
	}
	if _, ok := public.(*ssh.Certificate); ok {
		return "it is an OpenSSH certificate; name the private key file, and the certificate apart from it"
	}
	return half
}

// isUTF16 knows UTF-16 by its byte order mark, or by the zero bytes that ASCII
// text has in it. Windows PowerShell writes such files with ">".
func isUTF16(text []byte) bool {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return true
	}
	return len(text) > 1 && (text[0] == 0) != (text[1] == 0)
}

// isDER knows DER by the tag of the SEQUENCE that all keys are. That byte is
// the digit 0 too, so that text has to be ruled out.
func isDER(text []byte) bool {
	return text[0] == 0x30 && !utf8.Valid(text)
}
