package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRealFTPRefusesAWrongPassword(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		d := converse(t, start(t, FTPServerConfig{}).Addr(), nil, false)
		d.say("USER hawser", 331)
		d.say("PASS guess", 530)
	})
}

func TestRealFTPStartsSessionsInDir(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		s := start(t, FTPServerConfig{})
		s.Put(t, "sub/a.txt", "hello")
		d := converse(t, s.Addr(), nil, false)
		d.login(s.User, s.Password)
		require.Contains(t, d.say("PWD", 257), `"`+s.Home+`"`)
		require.Equal(t, "hello", d.download("RETR sub/a.txt"))
		d.say("DELE sub/a.txt", 250)
		d.say("RMD sub", 250)
		d.say("QUIT", 221)
		require.NoDirExists(t, filepath.Join(s.Dir, "sub"))
	})
}

func TestRealFTPLetsAnonymousInIfItIsTold(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		for allowed, code := range map[bool]int{false: 530, true: 230} {
			s := start(t, FTPServerConfig{Anonymous: allowed})
			d := converse(t, s.Addr(), nil, false)
			d.say("USER anonymous", 331)
			d.say("PASS somebody@example.org", code)
			if allowed {
				s.Put(t, "a.txt", "hello")
				require.Equal(t, "hello", d.download("RETR a.txt"))
				d.say("MKD sub", 550)
			}
		}
	})
}

func TestRealFTPRefusesDeniedCommands(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		s := start(t, FTPServerConfig{Deny: []string{"EPSV", "SIZE"}})
		s.Put(t, "a.txt", "hello")
		d := converse(t, s.Addr(), nil, false)
		d.login(s.User, s.Password)
		d.say("EPSV", 5)
		d.say("SIZE a.txt", 5)
		d.say("PASV", 227)
	})
}

func TestRealFTPAnnouncesWhatItIsTold(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		s := start(t, FTPServerConfig{PASVAddress: "192.0.2.7"})
		d := converse(t, s.Addr(), nil, false)
		d.login(s.User, s.Password)
		require.Contains(t, d.say("PASV", 227), "192,0,2,7,")
	})
}

func TestRealFTPEndsIdleSessions(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		s := start(t, FTPServerConfig{IdleTimeout: time.Second})
		d := converse(t, s.Addr(), nil, false)
		d.login(s.User, s.Password)
		d.answer(421)
	})
}

func TestRealFTPLetsLinesWin(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		s := start(t, FTPServerConfig{Lines: []string{map[string]string{
			"vsftpd": "write_enable=NO", "proftpd": "<Limit WRITE>\nDenyAll\n</Limit>",
		}[strings.Split(t.Name(), "/")[1]]}})
		d := converse(t, s.Addr(), nil, false)
		d.login(s.User, s.Password)
		d.say("MKD sub", 550)
	})
}

func TestRealFTPServersDoNotMeet(t *testing.T) {
	t.Parallel()
	eachFTP(t, func(t *testing.T, start startsFTP) {
		for i := range 4 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				s := start(t, FTPServerConfig{})
				d := converse(t, s.Addr(), nil, false)
				d.login(s.User, s.Password)
				for j := range 50 {
					name := fmt.Sprintf("%d-%d.txt", i, j)
					d.upload("STOR "+name, name)
					require.Equal(t, name, d.download("RETR "+name))
				}
				list, err := os.ReadDir(s.Dir)
				require.NoError(t, err)
				require.Len(t, list, 50)
			})
		}
	})
}

func TestVSFTPDLeavesTheMachineAlone(t *testing.T) {
	t.Parallel()
	s := VSFTPD(t, FTPServerConfig{})
	users, err := os.ReadFile("/etc/passwd")
	require.NoError(t, err)
	require.NotContains(t, string(users), s.Dir)
	mounts, err := os.ReadFile("/proc/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), "/etc/pam.d")
}

func TestProFTPDFTPKnowsTheLaterCommands(t *testing.T) {
	t.Parallel()
	s := ProFTPDFTP(t, FTPServerConfig{})
	s.Put(t, "a.txt", "hello")
	d := converse(t, s.Addr(), nil, false)
	d.login(s.User, s.Password)
	require.Contains(t, d.download("MLSD"), "; a.txt\r\n")
	d.say("MFMT 20200102030405 a.txt", 213)
	require.Contains(t, d.say("MLST a.txt", 250), "modify=20200102030405;")
	require.Contains(t, strings.ToLower(d.say("XCRC a.txt", 250)), "3610a686")
	require.Contains(t, strings.ToLower(d.say("XSHA256 a.txt", 250)), "2cf24dba5fb0a30e")
	require.Contains(t, s.Log(), "MFMT 20200102030405 a.txt: 213")
}
