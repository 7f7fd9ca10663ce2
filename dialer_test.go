package hawser_test

import (
	"strings"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestMux(t *testing.T) {
	t.Parallel()
	t.Run("dials by protocol", func(t *testing.T) {
		t.Parallel()
		files, mail := &fakeDialer{}, &fakeDialer{}
		_, err := hawser.Mux{ftp: files, smtp: mail}.Dial(t.Context(), valid(smtp))
		require.NoError(t, err)
		require.Zero(t, files.calls())
		require.Equal(t, 1, mail.calls())
	})
	for _, row := range []struct {
		name string
		mux  hawser.Mux
		text string
	}{
		{"none at all", nil, `open bank: lookup: no driver for protocol "sftp"`},
		{"one that is alike", hawser.Mux{ftp: &fakeDialer{}}, `open bank: lookup: no driver for protocol "sftp"; did you mean "ftp"?`},
		{"others", hawser.Mux{"imap": &fakeDialer{}, "webdav": &fakeDialer{}}, `open bank: lookup: no driver for protocol "sftp"; want one of imap, webdav`},
		{"a nil one", hawser.Mux{sftp: nil}, `open bank: lookup: no driver for protocol "sftp"`},
	} {
		t.Run("names the missing driver where it has "+row.name, func(t *testing.T) {
			t.Parallel()
			_, err := row.mux.Dial(t.Context(), valid(sftp))
			require.ErrorIs(t, err, hawser.ErrNoDriver)
			require.True(t, strings.HasPrefix(err.Error(), row.text), err.Error())
		})
	}
	t.Run("closes every driver that can be closed", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		require.NoError(t, hawser.Mux{ftp: d, sftp: onlyDials{}, ssh: nil}.Close())
		require.Equal(t, 1, d.closed)
	})
}

// onlyDials is a Dialer without Close.
type onlyDials struct{}
