package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

// trouble returns replies of a server that now and then refuses, is full, or ends
// the session.
func trouble(random *rand.Rand) func(command, reply string) string {
	odd := []string{"421 4.3.2 going down", "451 4.3.0 not now", "452 4.5.3 enough", "550 5.7.1 no"}
	var mu sync.Mutex // a session may end while the next begins
	return func(command, reply string) string {
		mu.Lock()
		defer mu.Unlock()
		verb, _, _ := strings.Cut(command, " ")
		if !strings.Contains("MAIL RCPT DATA BDAT . RSET", verb) || verb == "" || random.IntN(12) > 0 {
			return reply
		}
		return odd[random.IntN(len(odd))]
	}
}

// Whatever a server, a context or the network does, what Send says is true: a
// message is there once if it says nothing, once at most if it says that nobody
// knows, and else not at all.
func TestTrouble(t *testing.T) {
	t.Parallel()
	for name, cfg := range inProcess() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("the seed is %d", seed)
			cfg.Reply = trouble(rand.New(rand.NewPCG(seed, 1)))
			c, server := startInProcess(t, cfg)
			c.Timeout = 5 * time.Second
			said := sendAll(t, c, server, rand.New(rand.NewPCG(seed, 2)))
			require.NoError(t, server.Close())
			there := map[string]int{}
			for _, m := range server.Mails() {
				there[regexp.MustCompile(`number \d+`).FindString(string(m.Data))]++
			}
			outcomes := map[string]int{}
			for subject, err := range said {
				switch n := there[subject]; {
				case err == nil:
					outcomes["sent"]++
					assert.Equal(t, 1, n, "%s was sent", subject)
				case errors.Is(err, hawser.ErrMaybeSent):
					outcomes["in doubt"]++
					assert.LessOrEqual(t, n, 1, "%s: %v", subject, err)
				default:
					outcomes["not sent"]++
					assert.Zero(t, n, "%s: %v", subject, err)
				}
			}
			t.Logf("%v, %d connections", outcomes, server.Accepted())
			assert.Greater(t, outcomes["sent"], 20)
			assert.Greater(t, outcomes["not sent"], 3)
		})
	}
}

// sendAll sends messages of all sizes, some of which are cut off, and returns what
// was said of each.
func sendAll(t *testing.T, c hawser.Connection, server *testserver.SMTP, random *rand.Rand) map[string]error {
	t.Helper()
	said := map[string]error{}
	var s *smtp.Session
	for i := range 80 {
		for tries := 0; s == nil || !s.Reusable(); tries++ { // what was dropped late may be the new one
			require.Less(t, tries, 100)
			var err error
			if s, err = (smtp.Dialer{}).Open(t.Context(), c); err == nil {
				defer s.Close()
			}
		}
		subject := fmt.Sprint("number ", i)
		ctx, cancel := context.WithCancel(t.Context())
		switch random.IntN(10) {
		case 0:
			time.AfterFunc(time.Duration(random.IntN(2000))*time.Microsecond, cancel)
		case 1:
			time.AfterFunc(time.Duration(random.IntN(2000))*time.Microsecond, server.Drop)
		}
		size := []int{10, 5000, 128 << 10, 300_000}[random.IntN(4)]
		env := to([]string{"a@example.com", "b@example.com", nobody}[:1+random.IntN(3)]...)
		env.AllOrNone = random.IntN(3) == 0
		_, said[subject] = s.Send(ctx, env, letter(subject, size))
		cancel()
	}
	return said
}
