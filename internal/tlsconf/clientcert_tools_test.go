package tlsconf_test

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/internal/tlsconf"
)

// clientWorkshop is a folder in which the real tools make certificates. It has
// the authorities root.crt and middle.crt, whose key is middle.key, the password
// in the files secret and again, because openssl reads no file twice, and an
// empty one in the file none.
type clientWorkshop struct {
	folder string
	root   *testcert.Pair
}

func newClientWorkshop(t *testing.T) clientWorkshop {
	t.Helper()
	testserver.Real(t, "openssl", "openssl")
	w := clientWorkshop{folder: t.TempDir(), root: testcert.Root(t)}
	middle := testcert.Intermediate(t, w.root)
	for name, data := range map[string][]byte{
		"root.crt": testcert.PEM(w.root), "middle.crt": testcert.PEM(middle), "middle.key": testcert.KeyPEM(t, middle),
		"usage": []byte("extendedKeyUsage=clientAuth\n"), "none": nil,
		"secret": []byte(clientPassword), "again": []byte(clientPassword), "ascii": []byte("changeit"),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(w.folder, name), data, 0o600))
	}
	return w
}

// run runs command lines, split at blanks, in the folder called sub.
func (w clientWorkshop) run(t *testing.T, sub string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		words := strings.Fields(line)
		for i, word := range words {
			words[i] = strings.NewReplacer("SECRET", clientPassword, "EMPTY", "").Replace(word)
		}
		command := exec.Command(words[0], words[1:]...)
		command.Dir = filepath.Join(w.folder, sub)
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s: %s", line, out)
	}
}

// certify has openssl make the certificate sub/crt of the key in sub/pub, the
// one line of OpenSSH.
func (w clientWorkshop) certify(t *testing.T, sub string) {
	t.Helper()
	line, err := os.ReadFile(filepath.Join(w.folder, sub, "pub"))
	require.NoError(t, err)
	public, _, _, _, err := ssh.ParseAuthorizedKey(line)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(public.(ssh.CryptoPublicKey).CryptoPublicKey())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(w.folder, sub, "public"), clientPEM("PUBLIC KEY", der), 0o600))
	w.run(t, sub, "openssl x509 -new -force_pubkey public -subj /CN=me -days 1 -CA ../middle.crt -CAkey ../middle.key -extfile ../usage -out crt -set_serial 1"+sub)
	w.append(t, sub, "crt", "../middle.crt")
}

func (w clientWorkshop) append(t *testing.T, sub, to, from string) {
	t.Helper()
	var all []byte
	for _, name := range []string{to, from} {
		data, err := os.ReadFile(filepath.Join(w.folder, sub, name))
		require.NoError(t, err)
		all = append(all, data...)
	}
	require.NoError(t, os.WriteFile(filepath.Join(w.folder, sub, to), all, 0o600))
}

// TestFilesOfTheRealToolsLogIn logs what of all that people may have works.
func TestFilesOfTheRealToolsLogIn(t *testing.T) {
	t.Parallel()
	w := newClientWorkshop(t)
	var rows []clientRow
	for kind, algorithm := range map[string]string{
		"rsa": "RSA -pkeyopt rsa_keygen_bits:2048", "ec": "EC -pkeyopt ec_paramgen_curve:P-256", "ed": "ED25519",
	} {
		w.run(t, "", strings.ReplaceAll("openssl genpkey -out K.key -algorithm ", "K", kind)+algorithm)
		w.run(t, "", strings.Split(strings.ReplaceAll("openssl req -new -key K.key -subj /CN=me -out K.csr\n"+
			"openssl x509 -req -in K.csr -days 1 -CA middle.crt -CAkey middle.key -CAcreateserial -extfile usage -out K.crt\n"+
			"cp K.crt K.chain\ncp K.key K.chained-key", "K", kind), "\n")...)
		w.append(t, "", kind+".chain", "middle.crt")
		w.append(t, "", kind+".chained-key", "middle.crt")
		rows = slices.Concat(rows, clientPFXRows(kind), clientKeyRows(kind), clientCertificateRows(kind), clientSSHRows(kind))
		if kind == "rsa" { // Java takes a second for each
			rows = append(rows, clientJavaRows(kind)...)
		}
	}
	table := &clientTable{}
	t.Run("rows", func(t *testing.T) {
		for i, row := range rows {
			t.Run(row.name(), func(t *testing.T) {
				t.Parallel()
				result := "FAILED"
				defer func() { table.add(row.name(), result) }()
				result = w.try(t, strconv.Itoa(i), row)
			})
		}
	})
	t.Log(table)
}

// try makes the files of r in the folder sub and uses them. It returns the result.
func (w clientWorkshop) try(t *testing.T, sub string, r clientRow) string {
	t.Helper()
	if r.tool != "" {
		if _, err := exec.LookPath(r.tool); err != nil && r.tool == "keytool" {
			t.Skip("no Java here, which is too much to ask for of every machine")
		}
		testserver.Real(t, r.tool, r.tool)
	}
	require.NoError(t, os.Mkdir(filepath.Join(w.folder, sub), 0o700))
	w.run(t, sub, strings.Split(strings.ReplaceAll(r.lines, "../K", "../"+r.kind), "\n")...)
	switch r.tool {
	case "ssh-keygen":
		w.run(t, sub, "cp key.pub pub")
		w.certify(t, sub)
	case "puttygen":
		w.run(t, sub, "puttygen key -L -o pub --old-passphrase ../secret")
		w.certify(t, sub)
	}
	if r.file == "" {
		r.file = "out"
	}
	c := hawser.Certificate{File: w.path(sub, r.kind, r.file), Password: hawser.NewSecret(r.password)}
	if r.key != "" {
		c.KeyFile = w.path(sub, r.kind, r.key)
	}
	if r.refused == "" {
		w.requireLogsIn(t, c)
		return "logs in" + requireNeedsPassword(t, c)
	}
	cert, err := tlsconf.LoadCertificate(c)
	requireClientProblem(t, cert, err, tlsconf.ErrFormat, r.refused)
	assert.NotErrorIs(t, err, tlsconf.ErrPassword)
	if r.cure == "" {
		return "refused"
	}
	w.run(t, sub, r.cure)
	if r.key == "key" {
		c.KeyFile = filepath.Join(w.folder, sub, "new")
	} else {
		c.File = filepath.Join(w.folder, sub, "new")
	}
	w.requireLogsIn(t, c)
	return "refused; logs in after the cure"
}

func (w clientWorkshop) path(sub, kind, name string) string {
	return filepath.Join(w.folder, sub, strings.ReplaceAll(name, "/K.", "/"+kind+"."))
}

func (w clientWorkshop) requireLogsIn(t *testing.T, c hawser.Certificate) {
	t.Helper()
	cert, err := tlsconf.LoadCertificate(c)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(cert.Certificate), 2, "the issuer is there as well")
	assert.Equal(t, "CN=me", cert.Leaf.Subject.String())
	requireLogsIn(t, cert, w.root)
}

// requireNeedsPassword proves that c, if it has a password, loads by no other.
func requireNeedsPassword(t *testing.T, c hawser.Certificate) string {
	t.Helper()
	if c.Password.IsZero() {
		return ""
	}
	c.Password = hawser.NewSecret("guess")
	cert, err := tlsconf.LoadCertificate(c)
	requireClientProblem(t, cert, err, tlsconf.ErrPassword, "tls.certificate.password does not open")
	c.Password = hawser.Secret{}
	cert, err = tlsconf.LoadCertificate(c)
	requireClientProblem(t, cert, err, tlsconf.ErrPassword, "is encrypted: set tls.certificate.password")
	return "; not by another password, not without"
}

// clientTable is the results, each with its format.
type clientTable struct {
	mu   sync.Mutex // guards rows
	rows []string
}

func (c *clientTable) add(format, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows = append(c.rows, fmt.Sprintf("%-110s | %s", format, result))
}

func (c *clientTable) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.rows)
	return "\n" + strings.Join(c.rows, "\n")
}
