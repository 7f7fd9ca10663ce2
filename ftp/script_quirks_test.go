package ftp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// A password may be made of what a code is.
func TestPasswordOfDigits(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"530", "53", "0", "3", "5", "530-530"} {
		t.Run(password, func(t *testing.T) {
			t.Parallel()
			for _, line := range []string{"530 <%s>", "530-<%[1]s>\n530-<%[1]s> again\n530 <%[1]s>", "530-<%[1]s>\n<%[1]s>\n530 <%[1]s>"} {
				steps := loginSteps()[:3]
				steps[2] = testserver.Step{Want: "PASS " + password, Reply: fmt.Sprintf(line, password)}
				f := testserver.FTPScript{Steps: steps}.Start(t)
				c := scripted(t, f.Addr(), "")
				c.Auth.Password = hawser.NewSecret(password)
				e, log := refused(t, c, f)
				require.ErrorIs(t, e, hawser.ErrAuth, "a refusal stays one")
				assert.Contains(t, e.Error(), "530 <***>")
				assert.Contains(t, log.String(), "PASS ***")
				for _, text := range []string{e.Error(), log.String()} {
					assert.NotContains(t, text, "<"+password+">")
				}
			}
		})
	}
	t.Run("that lets in", func(t *testing.T) {
		t.Parallel()
		steps := slices.Concat(loginSteps(), probeSteps())
		steps[2] = testserver.Step{Want: "PASS 230", Reply: "230-230 is right\n230 in"}
		f := testserver.FTPScript{Steps: steps}.Start(t)
		c := scripted(t, f.Addr(), "")
		c.Auth.Password = hawser.NewSecret("230")
		assertInStep(t, "230", open(t, c))
	})
}

// jlaffaye/ftp writes a long command in parts, and servers answer at length.
func TestLongLines(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("directory/", 900) + "file" // longer than any buffer on the way
	reply := func(code string) string {
		return code + "-" + strings.Repeat("x", 8000) + "\n " + strings.Repeat("y", 8000) + "\n" + code + " " + strings.Repeat("z", 8000)
	}
	for _, row := range []struct {
		name     string
		features string
		steps    testserver.Steps
		run      operation
	}{
		{"MKD", "", testserver.Steps{{Want: "MKD " + deep, Reply: reply("257")}}, func(ctx context.Context, s *ftp.Session) error { return s.Mkdir(ctx, deep) }},
		{"DELE", "", testserver.Steps{{Want: "DELE " + deep, Reply: reply("250")}}, func(ctx context.Context, s *ftp.Session) error { return s.Remove(ctx, deep) }},
		{"RNFR and RNTO", "", testserver.Steps{{Want: "RNFR " + deep, Reply: reply("350")}, {Want: "RNTO " + deep + "2", Reply: reply("250")}}, func(ctx context.Context, s *ftp.Session) error { return s.Rename(ctx, deep, deep+"2") }},
		{"MFMT", "MFMT", testserver.Steps{{Want: "MFMT 19700101000000 " + deep, Reply: reply("213")}}, func(ctx context.Context, s *ftp.Session) error { return s.Chtimes(ctx, deep, time.Unix(0, 0)) }},
		{"FEAT", strings.Repeat("x", 8000) + " y,MFMT", testserver.Steps{{Want: "MFMT 19700101000000 a", Reply: "213 ok"}}, touches},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var features []string
			if row.features != "" {
				features = strings.Split(row.features, ",")
			}
			s, _ := play(t, features, append(row.steps, probeSteps()...)...)
			require.NoError(t, row.run(t.Context(), s))
			assertInStep(t, row.name, s)
			require.True(t, s.Reusable())
		})
	}
}

// Nobody asks for TLS that is not trusted and then shows the password without.
func TestProbeOfAServerThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	for _, secure := range []string{testserver.FTPExplicit, testserver.FTPImplicit} {
		t.Run(secure, func(t *testing.T) {
			t.Parallel()
			c, f := startInProcess(t, testserver.FTPConfig{TLS: secure})
			c.TLS, c.Timeout = hawser.TLSOptions{}, time.Second
			untrusted := false
			for found, report := range (ftp.Dialer{}).Probe(t.Context(), c) {
				require.Error(t, report.Err)
				assert.NotEqual(t, hawser.TLSNone, found.TLS.Mode)
				untrusted = untrusted || errors.Is(report.Err, hawser.ErrUntrusted)
			}
			assert.True(t, untrusted)
			for _, line := range f.Commands() {
				assert.NotContains(t, line, "PASS")
				assert.NotContains(t, line, "USER")
			}
		})
	}
}

// What a session can do without may be refused.
func TestRefusalsThatAreNoMatter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, reply := range []string{"500 what", "501 what", "502 no", "503 not now", "504 no", "550 no", "451 no", "202 what", "530 no"} {
		for _, want := range []string{"FEAT", "OPTS UTF8 ON", "PBSZ 0"} {
			t.Run(want+", "+reply, func(t *testing.T) {
				t.Parallel()
				steps := secureSteps(hawser.TLSExplicit, "UTF8")
				at := slices.IndexFunc(steps, func(s testserver.Step) bool { return s.Want == want })
				if steps[at].Reply = reply; want == "FEAT" {
					steps = slices.DeleteFunc(steps, func(s testserver.Step) bool { return s.Want == "OPTS UTF8 ON" })
				}
				f := testserver.FTPScript{Steps: slices.Concat(steps, downloadExchange(hawser.Passive).steps, probeSteps()), Identity: b.id}.Start(t)
				s := open(t, scripted(t, f.Addr(), b.ca))
				assert.Equal(t, scriptContent, string(download(t, s, "file")))
				assertInStep(t, want, s)
			})
		}
	}
}

// Some servers agree to REST and forget it.
func TestDownloadFromTheMiddle(t *testing.T) {
	t.Parallel()
	const text = "0123456789"
	for _, row := range []struct{ name, sent, size, want string }{
		{"the rest", text[4:], "213 10", ""},
		{"all of it", text, "213 10", "may have begun elsewhere"},
		{"one byte too many", text[3:], "213 10", "may have begun elsewhere"},
		{"one byte too few", text[4:9], "213 10", "5 bytes of 6"},
		{"nothing", "", "213 10", "0 bytes of 6"},
		{"the rest, and sizes are not told", text[4:], "500 what", ""},
		{"the rest, and no size", text[4:], "550 no", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, _ := play(t, nil, append(testserver.Steps{
				dataStep(hawser.Passive),
				{Want: "REST 4", Reply: "350 from there"},
				{Want: "RETR file", Reply: "150 here (10 bytes)", Data: &testserver.Transfer{Send: row.sent}, Then: "226 done"},
				{Want: "SIZE file", Reply: row.size},
			}, probeSteps()...)...)
			r, err := s.Open(t.Context(), "file", 4)
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			if row.want == "" {
				require.NoError(t, err)
				assert.Equal(t, row.sent, string(got))
			} else {
				require.ErrorContains(t, err, row.want)
				assertTyped(t, row.name, err)
			}
			require.NoError(t, r.Close())
			assertInStep(t, row.name, s)
			require.True(t, s.Reusable())
		})
	}
}

// A server that has all of a file before any of it was sent has none of it.
func TestUploadThatIsCompleteBeforeItBegins(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{"226 done", "250 done", "200 ok"} {
		for name, offset := range map[string]int64{"STOR": 0, "APPE": 5} {
			t.Run(name+", "+reply, func(t *testing.T) {
				t.Parallel()
				steps := testserver.Steps{dataStep(hawser.Passive), {Want: name + " file", Reply: reply}}
				if offset > 0 {
					steps = append(testserver.Steps{{Want: "SIZE file", Reply: "213 5"}}, steps...)
				}
				s, _ := play(t, nil, append(steps, probeSteps()...)...)
				_, err := s.Create(t.Context(), "file", offset)
				require.ErrorContains(t, err, reply)
				require.NotErrorIs(t, err, fs.ErrPermission)
				assertTyped(t, name, err)
				assertInStep(t, name, s)
				require.True(t, s.Reusable())
			})
		}
	}
}
