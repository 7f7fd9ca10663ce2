package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testcert"
)

// A kindRow is a server with a fault, and what is reported. Where a platform
// verifies, a chain that it refuses is of unknown authority too.
type kindRow struct {
	name     string
	want     string
	platform string // "": want
	sight    sight
}

// A kindWorld is what the rows share.
type kindWorld struct {
	root, inter, other *testcert.Pair
	roots              *x509.CertPool
}

func newKindWorld(t testing.TB) kindWorld {
	root := testcert.Root(t, withName("root"), valid(-1000*time.Hour, 1000*time.Hour))
	inter := testcert.Intermediate(t, root, withName("inter"), valid(-100*time.Hour, 100*time.Hour))
	return kindWorld{root, inter, testcert.Root(t, withName("other")), testcert.Pool(root)}
}

func (w kindWorld) under(p *testcert.Pair, above ...*testcert.Pair) func(testing.TB, ...testcert.Edit) sight {
	return func(t testing.TB, edits ...testcert.Edit) sight {
		return sight{chain: append([]*testcert.Pair{testcert.Server(t, p, edits...), p}, above...), roots: w.roots}
	}
}

func TestInspectEachKind(t *testing.T) {
	t.Parallel()
	w := newKindWorld(t)
	rows := append(kindsOfTime(t, w), kindsOfAuthority(t, w)...)
	rows = append(rows, kindsOfIssuers(t, w)...)
	rows = append(rows, kindsOfNames(t, w)...)
	rows = append(rows, kindsOfWeakness(t, w)...)
	rows = append(rows, kindsOfRevocation(t, w)...)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cs, found := row.sight.shake(t)
			t.Logf("%-60s | %s", row.name, report(found))
			assert.Equal(t, row.want, report(found), "%+v", details(found))
			wellFormed(t, cs, found)
			o := row.sight.options
			o.Roots = row.sight.roots
			if verified(cs, row.sight.named(), o) != nil {
				assert.NotEmpty(t, found, "x509 refuses it")
			} else {
				assert.False(t, denied(found), "x509 accepts it")
			}
			onPlatform := row.sight.inspectOnPlatform(cs)
			if row.platform == "" {
				row.platform = row.want
			}
			assert.Equal(t, row.platform, report(onPlatform), "on a platform that verifies by itself: %+v", details(onPlatform))
			wellFormed(t, cs, onPlatform)
			byGo := certs.InspectOnPlatform(cs, row.sight.named(), o, plainVerify)
			assert.Equal(t, row.want, report(byGo), "there, with roots of a file, which Go verifies: %+v", details(byGo))
			there := certs.InspectOnPlatform(cs, row.sight.named(), o, standIn(nil))
			assert.Equal(t, row.platform, report(there), "there, with the platform's roots by SystemCertPool: %+v", details(there))
		})
	}
	t.Run("all 16 have a row that reports them alone", func(t *testing.T) {
		t.Parallel()
		alone := make(map[string]bool)
		for _, row := range rows {
			alone[row.want] = true
		}
		for _, a := range hawser.Anomalies() {
			kind := string(a)
			switch a {
			case hawser.WeakProtocol:
				kind += "@-1"
			case hawser.MissingIntermediate:
				kind = "unknown-authority@0 missing-intermediate@0"
			case hawser.BasicConstraints:
				kind += "@1"
			default:
				kind += "@0"
			}
			assert.True(t, alone[kind], kind)
		}
	})
}

func details(found []certs.Finding) (list []string) {
	for _, f := range found {
		list = append(list, f.Detail)
	}
	return list
}

func TestInspectDetails(t *testing.T) {
	t.Parallel()
	w := newKindWorld(t)
	detail := func(s sight) string {
		found := s.inspect(s.state())
		require.NotEmpty(t, found)
		return found[0].Detail
	}
	onlyCN := w.under(w.inter)(t, withName("ftp.example.com"), testcert.For("other.example.com"))
	onlyCN.name = "ftp.example.com"
	assert.Contains(t, detail(onlyCN), "only the common name matches, which is not looked at since RFC 6125/9525")
	onlyCN.name = "sftp.example.com"
	assert.NotContains(t, detail(onlyCN), "common name")
	address := w.under(w.inter)(t, withName("127.0.0.1"), testcert.For())
	address.name = "127.0.0.1"
	assert.Contains(t, detail(address), "only the common name matches")
	assert.Contains(t, detail(address), "no name or address")
	many := w.under(w.inter)(t, testcert.For("a.test", "b.test", "c.test", "d.test"), func(c *x509.Certificate) { c.IPAddresses = []net.IP{{10, 0, 0, 1}} })
	assert.Equal(t, `it is for "a.test", "b.test", "c.test", 10.0.0.1, 1 more, not for "localhost"`, detail(many))
	many.noName = true
	assert.Equal(t, "there is no name to compare it with", detail(many))
}

func TestInspectFindingsAreSafeToPrintAndStore(t *testing.T) {
	t.Parallel()
	w := newKindWorld(t)
	long := make([]byte, 3000)
	for i := range long {
		long[i] = 'x'
	}
	nasty := "\x1b[2J\r\nAccepted by root\u202e" + string(long)
	inter := testcert.Intermediate(t, w.other, withName(nasty))
	s := w.under(inter)(t, withName(nasty), testcert.Expired, testcert.For(string(long)+".test"), strangeExtension, func(c *x509.Certificate) {
		c.IssuingCertificateURL, c.Subject.Organization = []string{nasty}, []string{nasty}
	})
	s.name = nasty
	cs, found := s.shake(t)
	wellFormed(t, cs, found)
	for _, f := range found {
		assert.LessOrEqual(t, len(f.Detail), 700, f.Detail)
		if f.Anomaly == hawser.NameMismatch {
			assert.Contains(t, f.Detail, "not for", "a long name does not push out the rest")
		}
	}
	text, err := json.Marshal(found[0])
	require.NoError(t, err)
	var back map[string]any
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, map[string]any{"anomaly": "expired", "index": 0.0, "detail": found[0].Detail}, back)
}

// What a platform finds by itself has places of its own, and what it refuses for
// reasons of its own is not let in.
func TestInspectOnAPlatformWithAMindOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newKindWorld(t)
	short := rsaKey(t, 1024)
	root := testcert.Sign(t, nil, short, testcert.Authority)
	inter := testcert.Sign(t, root, short, testcert.Authority)
	s := sight{chain: []*testcert.Pair{testcert.Server(t, inter)}}
	finds := func(path []*x509.Certificate, o x509.VerifyOptions) ([][]*x509.Certificate, error) {
		return [][]*x509.Certificate{{path[0], inter.Cert, root.Cert}}, nil
	}
	assert.Equal(t, "weak-key@1 weak-key@2", report(certs.InspectOnPlatform(s.state(), "localhost", certs.InspectOptions{}, finds)))

	s = w.under(w.inter)(t)
	refuses := func(path []*x509.Certificate, o x509.VerifyOptions) ([][]*x509.Certificate, error) {
		if len(o.KeyUsages) == 0 {
			return nil, errors.New("it is Tuesday")
		}
		return standIn(s.roots)(path, o)
	}
	assert.Equal(t, "unknown-authority@0", report(certs.InspectOnPlatform(s.state(), "localhost", certs.InspectOptions{}, refuses)))

	other := testcert.Server(t, w.inter)
	confuses := func([]*x509.Certificate, x509.VerifyOptions) ([][]*x509.Certificate, error) {
		return [][]*x509.Certificate{{other.Cert, w.inter.Cert, w.root.Cert}, {}}, nil
	}
	assert.True(t, denied(certs.InspectOnPlatform(s.state(), "localhost", certs.InspectOptions{}, confuses)))
}

func TestInspectWithoutCertificateCannotBeAllowed(t *testing.T) {
	t.Parallel()
	found := certs.Inspect(tls.ConnectionState{Version: tls.VersionTLS13}, "localhost", certs.InspectOptions{})
	assert.Equal(t, "unknown-authority@-1 name-mismatch@-1 bad-signature@-1", report(found))
	found = certs.Inspect(tls.ConnectionState{PeerCertificates: []*x509.Certificate{nil}}, "", certs.InspectOptions{})
	assert.Equal(t, "unknown-authority@-1 name-mismatch@-1 bad-signature@-1 weak-protocol@-1", report(found))
}
