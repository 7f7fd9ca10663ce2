package postgres

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// parse reads dsn as pgx does, but for a default of pgx and libpq: where nothing says
// an sslmode, that is "prefer", which trusts any server, and goes on without TLS if
// somebody on the way says that there is none.
func parse(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil || saysSSLMode(dsn) {
		return config, err
	}
	if _, found := inTheClear(config); !found {
		return config, nil
	}
	return pgx.ParseConfig(withSSLMode(dsn, "verify-full"))
}

// saysSSLMode may take another text for it, such as a password: then no default is
// put in its place, and check refuses what is in the clear.
func saysSSLMode(dsn string) bool {
	return os.Getenv("PGSSLMODE") != "" || strings.Contains(dsn, "sslmode")
}

func withSSLMode(dsn, mode string) string {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return "sslmode=" + mode + " " + dsn
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return dsn // which check refuses
	}
	query := "sslmode=" + mode
	if u.RawQuery != "" {
		query += "&" + u.RawQuery
	}
	u.RawQuery = query
	return u.String()
}

// A way is one of those that a connection is tried on.
type way struct {
	host string
	port uint16
	tls  *tls.Config // nil: in the clear
}

func ways(config *pgx.ConnConfig) []way {
	all := []way{{config.Host, config.Port, config.TLSConfig}}
	for _, next := range config.Fallbacks {
		all = append(all, way{next.Host, next.Port, next.TLSConfig})
	}
	return all
}

// exposed reports whether others may read what goes this way.
func (w way) exposed() bool {
	network, _ := pgconn.NetworkAddress(w.host, w.port)
	addr, err := netip.ParseAddr(w.host)
	isThisMachine := network == "unix" || w.host == "localhost" || err == nil && addr.IsLoopback()
	return w.tls == nil && !isThisMachine
}

// inTheClear is the host that a password, or all else, could be sent to in the clear,
// if there is one.
func inTheClear(config *pgx.ConnConfig) (host string, found bool) {
	for _, w := range ways(config) {
		if w.exposed() {
			return w.host, true
		}
	}
	return "", false
}

// check refuses to send a password in the clear.
func check(config *pgx.ConnConfig, o Options) error {
	host, found := inTheClear(config)
	if !found || o.InsecureLogin || config.Password == "" && config.OAuthTokenProvider == nil {
		return nil
	}
	return fmt.Errorf("postgres registry: the password could go to %q in the clear; use sslmode=verify-full, or set InsecureLogin", host)
}
