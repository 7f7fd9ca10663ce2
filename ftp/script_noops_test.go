package ftp

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/wire"
)

// replies have the codes alone.
func replies(codes ...int) []wire.Reply {
	var all []wire.Reply
	for _, code := range codes {
		all = append(all, wire.Reply{Code: code})
	}
	return all
}

// Whatever the order is in which the reply to a transfer and those to NOOPs come,
// a failure of the transfer is one.
func TestReplyOfATransferAmongThoseOfNOOPs(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		codes []int // the transfer's is the first; any order will do
		want  int
	}{
		{"no NOOP", []int{226}, 226},
		{"no NOOP, 450", []int{450}, 450},
		{"answered by 200", []int{226, 200, 200}, 226},
		{"answered by 200, 250", []int{250, 200, 200}, 250},
		{"answered by 200, 200", []int{200, 200, 200}, 200},
		{"answered by 250", []int{226, 250, 250}, 226},
		{"answered by 200, 426", []int{426, 200, 200}, 426},
		{"answered by 200, 450", []int{450, 200, 200}, 450},
		{"answered by 200, 450, one", []int{450, 200}, 450},
		{"answered by 200, 500", []int{500, 200, 200}, 500},
		{"answered by 200, 502", []int{502, 200, 200}, 502},
		{"answered by 200, 503", []int{503, 200}, 503},
		{"answered by 250, 426", []int{426, 250, 250}, 426},
		{"answered by 250, 450", []int{450, 250, 250}, 450},
		{"answered by 250, 450, one", []int{450, 250}, 450},
		{"answered by 250, 552", []int{552, 250, 250}, 552},
		{"refused", []int{226, 500, 500}, 226},
		{"refused, one", []int{226, 500}, 226},
		{"refused, 250", []int{250, 502, 502}, 250},
		{"refused in the transfer, answered behind it", []int{226, 503, 200}, 226},
		{"refused in the transfer, answered behind it, 250", []int{250, 450, 200}, 250},
		{"refused, 426", []int{426, 500, 500}, 426},
		{"refused, 450", []int{450, 450, 450}, 450},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			permute(row.codes, func(codes []int) {
				assert.Equal(t, row.want, ownReply(replies(codes...), len(codes)-1).Code, "%v", codes)
			})
		})
	}
}

// permute calls fn with each order of all.
func permute(all []int, fn func([]int)) {
	if len(all) <= 1 {
		fn(all)
		return
	}
	for i, first := range all {
		rest := append(append([]int{}, all[:i]...), all[i+1:]...)
		permute(rest, func(order []int) { fn(append([]int{first}, order...)) })
	}
}

// Some failures have the codes of a NOOP that is not known, or not now.
func TestFailureThatANOOPCouldHave(t *testing.T) {
	t.Parallel()
	for _, last := range []string{"450 cut", "451 cut", "500 cut", "502 cut", "503 cut"} {
		for _, early := range []int{0, 1, 3} {
			for _, verb := range []string{"RETR", "STOR"} {
				t.Run(verb+" "+last+map[int]string{0: " before", 1: " between", 3: " behind"}[early], func(t *testing.T) {
					t.Parallel()
					s := chatty{"150 here", last, "200 alive", early, 3}.open(t, 20*time.Second)
					require.ErrorContains(t, transferOf(t, s, verb), last)
					assertStep(t, s)
				})
			}
		}
	}
}

// transferOf runs one transfer, up to its end.
func transferOf(t *testing.T, s chat, verb string) error {
	t.Helper()
	if verb == "RETR" {
		r, err := s.Open(t.Context(), "file", 0)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, r)
		require.NoError(t, r.Close())
		return err
	}
	w, err := s.Create(t.Context(), "file", 0)
	require.NoError(t, err)
	_, err = io.WriteString(w, "content")
	require.NoError(t, err)
	<-s.heard
	return w.Close()
}
