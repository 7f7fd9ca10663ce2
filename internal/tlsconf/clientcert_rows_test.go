package tlsconf_test

import "strings"

// clientRow is a certificate that a tool makes: K is the kind of its key.
type clientRow struct {
	kind     string
	tool     string
	lines    string // commands, one a line
	file     string // "out" unless it is said
	key      string
	password string
	refused  string // what ErrFormat says of it, "" if it loads
	cure     string // what makes out of it
}

func (r clientRow) name() string {
	lines := strings.Split(strings.TrimSpace(r.lines), "\n")
	short := strings.NewReplacer("-inkey ../K.key -in ../K.crt -certfile ../middle.crt ", "", " -out out", "", "../", "",
		" -in K.key", "", "-passout file:secret", "-passout SECRET", " -C me", "", " -q", "")
	return r.kind + ": " + short.Replace(strings.TrimSpace(lines[len(lines)-1]))
}

const clientExport = "openssl pkcs12 -export -inkey ../K.key -in ../K.crt -certfile ../middle.crt -out out "

// clientPFXRows is what openssl pkcs12 makes.
func clientPFXRows(kind string) (rows []clientRow) {
	for _, options := range []string{
		"", "-legacy", "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1", "-descert -legacy",
		"-keypbe PBE-SHA1-RC2-128 -certpbe PBE-SHA1-RC2-128 -legacy", "-keypbe AES-128-CBC -certpbe AES-192-CBC",
		"-macalg sha1", "-macalg sha512", "-nomac", "-iter 10000", "-noiter -nomaciter",
		"-name Bänk -CSP Microsoft", "-chain -CAfile ../root.crt -untrusted ../middle.crt", "-keypbe NONE", "-certpbe NONE",
	} {
		rows = append(rows, clientRow{kind: kind, lines: clientExport + options + " -passout file:../secret", password: clientPassword})
	}
	for _, options := range []string{"", "-legacy", "-nomac", "-keypbe NONE -certpbe NONE -nomac", "-keypbe NONE -certpbe NONE"} {
		rows = append(rows, clientRow{kind: kind, lines: clientExport + options + " -passout pass:"})
	}
	for _, options := range []string{"-passout file:../again", "-nodes"} {
		password := clientPassword
		if options == "-nodes" {
			password = ""
		}
		rows = append(rows, clientRow{
			kind: kind, password: password,
			lines: clientExport + "-passout file:../secret\nopenssl pkcs12 -in out -out pem -passin file:../secret " + options, file: "pem",
		})
	}
	for refused, options := range map[string]string{
		"whose MAC (OID 2.16.840.1.101.3.4.2.2) is not supported":   "-macalg sha384",
		"whose encryption (OID 1.2.840.113549.1.12.1.1) is not sup": "-keypbe PBE-SHA1-RC4-128 -legacy",
		"whose cipher (OID 1.2.840.113549.3.7) is not supported":    "-keypbe DES-EDE3-CBC",
	} {
		rows = append(rows, clientRow{
			kind: kind, lines: clientExport + options + " -passout file:../secret", password: clientPassword, refused: refused,
			cure: "openssl pkcs12 -in out -out new -legacy -passin file:../secret -passout file:../again",
		})
	}
	return rows
}

// clientKeyRows is what openssl makes of a key.
func clientKeyRows(kind string) (rows []clientRow) {
	add := func(password string, commands ...string) {
		for _, command := range commands {
			rows = append(rows, clientRow{
				kind: kind, lines: "openssl " + strings.ReplaceAll(command, " SEC", " -passout file:../secret") + " -in ../K.key -out key",
				file: "../K.chain", key: "key", password: password,
			})
		}
	}
	add("", "pkcs8 -topk8 -nocrypt", "pkcs8 -topk8 -nocrypt -outform DER", "pkey -text")
	add(clientPassword, "pkcs8 -topk8 -v2 aes-256-cbc SEC", "pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA1 SEC",
		"pkcs8 -topk8 -v2 des3 SEC", "pkcs8 -topk8 -scrypt SEC", "pkcs8 -topk8 -v2 aes-256-cbc -outform DER SEC")
	if kind != "ed" {
		add("", kind+" "+traditional(kind), kind+" "+traditional(kind)+" -outform DER")
		add(clientPassword, kind+" -aes256 "+traditional(kind)+" SEC", kind+" -des3 "+traditional(kind)+" SEC")
	}
	rows = append(rows, clientRow{
		kind: kind, lines: "openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in ../K.key -out key -passout file:../secret",
		file: "../K.chain", key: "key", password: clientPassword, refused: "is not PBES2: rewrite it with openssl pkcs8 -topk8 -v2 aes-256-cbc",
		cure: "openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in key -out new -passin file:../secret -passout file:../again",
	})
	return rows
}

func traditional(kind string) string {
	if kind == "rsa" {
		return "-traditional"
	}
	return ""
}

// clientCertificateRows is what openssl makes of a certificate.
func clientCertificateRows(kind string) (rows []clientRow) {
	for _, line := range []string{
		"openssl x509 -in ../K.crt -outform DER -out out", "openssl x509 -in ../K.crt -text -out out",
		"openssl x509 -in ../K.crt -trustout -addtrust clientAuth -setalias me -out out",
		"openssl x509 -in ../K.crt -trustout -addtrust clientAuth -outform DER -out out",
		"openssl x509 -in ../K.crt -outform DER -out der\nopenssl base64 -in der -out out",
		"openssl x509 -in ../K.crt -outform DER -out der\nopenssl base64 -A -in der -out out",
	} {
		rows = append(rows, clientRow{kind: kind, lines: line, key: "../K.chained-key"})
	}
	for form, option := range map[string]string{"PEM": "", "DER": " -inform DER"} {
		rows = append(rows, clientRow{
			kind: kind, lines: "openssl crl2pkcs7 -nocrl -certfile ../K.chain -out out -outform " + form, key: "../K.key",
			refused: "openssl pkcs7 -print_certs" + option + " -in FILE -out NEWFILE", cure: "openssl pkcs7 -print_certs" + option + " -in out -out new",
		})
	}
	return rows
}

// clientSSHRows is what ssh-keygen and puttygen make. The certificate follows.
func clientSSHRows(kind string) (rows []clientRow) {
	types := map[string]string{"rsa": "rsa -b 2048", "ec": "ecdsa -b 256", "ed": "ed25519"}
	add := func(tool, line, password string) {
		rows = append(rows, clientRow{kind: kind, tool: tool, lines: line, file: "crt", key: "key", password: password})
	}
	forms := []string{"", "-m PEM ", "-m PKCS8 "}
	if kind == "ed" {
		forms = forms[:1] // ssh-keygen writes no other
	}
	for _, form := range forms {
		make := "ssh-keygen -q -f key -C me -t " + types[kind] + " " + form
		add("ssh-keygen", make+"-N EMPTY", "")
		add("ssh-keygen", make+"-a 1 -N SECRET", clientPassword) // rounds of bcrypt, slow under the race detector
	}
	for _, form := range []string{
		"-O private --ppk-param version=2", "-O private --ppk-param version=3", "-O private-openssh", "-O private-openssh-new",
	} {
		make := "puttygen -q -o key -C me -t " + types[kind] + " " + form + " --new-passphrase ../"
		if kind != "rsa" { // which takes puttygen long
			add("puttygen", make+"none", "")
		}
		if !strings.Contains(form, "openssh") || kind == "ec" { // else it has many rounds of bcrypt, or is seen elsewhere
			add("puttygen", make+"secret", clientPassword)
		}
	}
	return rows
}

// clientJavaRows is what keytool makes, with passwords in ASCII.
func clientJavaRows(kind string) []clientRow {
	const export = clientExport + "-passout file:../ascii -name me\n"
	const convert = "keytool -importkeystore -srckeystore out -srcstorepass changeit -deststorepass changeit -destkeystore "
	return []clientRow{
		{
			kind: kind, tool: "keytool", password: "changeit", // the second key and certificate are of nobody
			lines: export + convert + "java -deststoretype PKCS12\nkeytool -genkeypair -keystore java -storepass changeit -alias other -dname CN=other -keyalg EC",
			file:  "java",
		},
		{
			kind: kind, tool: "keytool", password: "changeit", lines: export + convert + "java -deststoretype JKS", file: "java",
			refused: "keytool -importkeystore -srckeystore FILE -destkeystore NEWFILE -deststoretype PKCS12",
			cure:    "keytool -importkeystore -srckeystore java -srcstorepass changeit -deststorepass changeit -destkeystore new -deststoretype PKCS12",
		},
	}
}
