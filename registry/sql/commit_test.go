package sql

import (
	"context"
	database "database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/hawser/hawser"
)

var errCut = errors.New("the connection was cut")

// A lossy database loses the answer to the next commits, which take effect.
type lossy struct {
	dsn  string
	lose atomic.Int32
}

type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
}

type lossyConn struct {
	sqliteConn
	lossy *lossy
}

type lossyTx struct {
	driver.Tx
	lossy *lossy
}

func (l *lossy) Driver() driver.Driver { return &sqlite.Driver{} }

func (l *lossy) Connect(context.Context) (driver.Conn, error) {
	c, err := l.Driver().Open(l.dsn)
	if err != nil {
		return nil, err
	}
	return lossyConn{c.(sqliteConn), l}, nil
}

func (c lossyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, o)
	return lossyTx{tx, c.lossy}, err
}

func (tx lossyTx) Commit() error {
	if err := tx.Tx.Commit(); err != nil || tx.lossy.lose.Add(-1) < 0 {
		return err
	}
	return errCut
}

func TestCommitWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	p := newPlace(t, wal)
	fill(t, p.open(t, Options{}), sample("bank"))
	l := &lossy{dsn: "file:" + p.name + p.parameters}
	db := database.OpenDB(l)
	defer func() { require.NoError(t, db.Close()) }()
	r, err := Open(t.Context(), db, Options{Dialect: SQLite, Poll: time.Hour})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	watch, err := r.Watch(bounded(t))
	require.NoError(t, err)
	version := r.Version()
	l.lose.Store(1)
	_, err = r.Put(t.Context(), sample("shop"))
	require.ErrorIs(t, err, errCut)
	assert.EqualError(t, err, `put "shop": commit: the connection was cut; the change may have been stored`)
	assert.Greater(t, r.Version(), version)
	await(t, watch, "shop")
	_, err = r.Put(t.Context(), sample("shop"))
	assert.ErrorIs(t, err, hawser.ErrConflict)
	assert.Len(t, entries(t, r.History(t.Context(), "shop")), 1, "it was not tried twice")
}
