package testserver

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// everyMethod lets ann in by each method but none.
func everyMethod(key, ca ssh.Signer) SSHConfig {
	return SSHConfig{
		Passwords:   map[string]string{"ann": "secret"},
		Keys:        map[string][]ssh.PublicKey{"ann": {key.PublicKey()}},
		UserCA:      ca.PublicKey(),
		Interactive: map[string][]string{"ann": {"secret", "123456"}},
		AllowNone:   []string{"nobody"},
	}
}

func TestSSHLogsInByEachMethod(t *testing.T) {
	key, other, ca := newSigner(t), newSigner(t), newSigner(t)
	s := startSSH(t, everyMethod(key, ca))
	for _, row := range []struct {
		name, user string
		method     ssh.AuthMethod
		ok         bool
	}{
		{"the right password", "ann", ssh.Password("secret"), true},
		{"a wrong password", "ann", ssh.Password("guess"), false},
		{"an unknown user's empty password", "bob", ssh.Password(""), false},
		{"a listed key", "ann", ssh.PublicKeys(key), true},
		{"an unlisted key", "ann", ssh.PublicKeys(other), false},
		{"another user's key", "bob", ssh.PublicKeys(key), false},
		{"a certificate for the user", "ann", ssh.PublicKeys(certify(t, ca, other, "ann")), true},
		{"a certificate for another", "ann", ssh.PublicKeys(certify(t, ca, other, "bob")), false},
		{"a certificate of another CA", "ann", ssh.PublicKeys(certify(t, other, other, "ann")), false},
		{"the right answers", "ann", answering("secret", "123456"), true},
		{"a wrong second answer", "ann", answering("secret", "0"), false},
		{"an unknown user's empty answer", "bob", answering(""), false},
		{"none where allowed", "nobody", nil, true},
		{"none where not allowed", "ann", nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var methods []ssh.AuthMethod
			if row.method != nil {
				methods = append(methods, row.method)
			}
			client, err := login(s.Addr(), s.HostKey(), row.user, methods...)
			if !row.ok {
				require.ErrorContains(t, err, "unable to authenticate")
				return
			}
			require.NoError(t, err)
			require.NoError(t, client.Close())
		})
	}
}

func TestSSHAsksInRoundsAndEndsWithAnEmptyOne(t *testing.T) {
	s := startSSH(t, SSHConfig{Interactive: map[string][]string{"ann": {"secret", "123456"}}})
	var rounds [][]string
	answers := map[string]string{"Password: ": "secret", "Code: ": "123456"}
	dial(t, s, "ann", ssh.KeyboardInteractive(func(_, _ string, prompts []string, _ []bool) ([]string, error) {
		rounds = append(rounds, prompts)
		given := make([]string, 0, len(prompts))
		for _, p := range prompts {
			given = append(given, answers[p])
		}
		return given, nil
	}))
	require.Len(t, rounds, 3)
	require.Equal(t, []string{"Password: "}, rounds[0])
	require.Equal(t, []string{"Code: "}, rounds[1])
	require.Empty(t, rounds[2])
}

func TestSSHZeroConfigLetsAnybodyIn(t *testing.T) {
	dial(t, startSSH(t, SSHConfig{}), "anybody")
}

func TestSSHShowsItsBanner(t *testing.T) {
	s := startSSH(t, SSHConfig{Banner: "be good\n"})
	var banner string
	client, err := ssh.Dial("tcp", s.Addr(), &ssh.ClientConfig{
		User: "ann", HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
		BannerCallback: func(text string) error { banner = text; return nil },
	})
	require.NoError(t, err)
	require.NoError(t, client.Close())
	require.Equal(t, "be good\n", banner)
}

func TestSSHServerConfigHasTheLastWord(t *testing.T) {
	s := startSSH(t, SSHConfig{ServerConfig: func(c *ssh.ServerConfig) { c.ServerVersion = "SSH-2.0-odd" }})
	require.Equal(t, "SSH-2.0-odd", string(dial(t, s, "ann").ServerVersion()))
}
