package sftp

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// A left is what a program printed before it ended.
type left struct{ io.Reader }

func (left) Write([]byte) (int, error) { return 0, io.EOF }

func TestWhatAProgramPrintedIsReadAlsoIfItIsOver(t *testing.T) {
	t.Parallel()
	_, err := greet(left{bytes.NewBufferString("You have no shell here.\n")})
	require.ErrorContains(t, err, "You have no shell here.")
	_, err = greet(left{&bytes.Buffer{}})
	require.ErrorContains(t, err, "before its VERSION")
}
