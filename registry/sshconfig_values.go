package registry

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
)

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("wants a port number, 1 to 65535")
	}
	return uint16(n), nil
}

// parseSSHTime reads a time of sshd_config(5), such as 90, 1m30 or 2h.
func parseSSHTime(text string) (time.Duration, error) {
	wrong := errors.New("wants a time such as 90, 1m30s or 2h")
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	var total time.Duration
	for rest := strings.ToLower(text); rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil {
			return 0, wrong
		}
		unit := time.Second
		if rest = rest[digits:]; rest != "" {
			if unit = units[rest[0]]; unit == 0 {
				return 0, wrong
			}
			rest = rest[1:]
		}
		// The time must fit into 32 bits of seconds, as in OpenSSH.
		if total += time.Duration(n) * unit; time.Duration(n) > math.MaxInt32*time.Second/unit || total > math.MaxInt32*time.Second {
			return 0, wrong
		}
	}
	return total, nil
}

// sshTokens is what the %-tokens of paths mean for one host.
type sshTokens struct {
	options           SSHConfigOptions
	alias, host, user string
	port              uint16
}

// local is the name of the local user.
func (t *sshTokens) local() (string, error) {
	if t.options.User != "" {
		return t.options.User, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("the user of this process is not known: %w", err)
	}
	name := u.Username
	return name[strings.LastIndexByte(name, '\\')+1:], nil // Windows: DOMAIN\user
}

func (t *sshTokens) home() (string, error) {
	if t.options.Home != "" {
		return t.options.Home, nil
	}
	return os.UserHomeDir()
}

// path expands ~ and the tokens of a path.
func (t *sshTokens) path(path string) (string, error) {
	if strings.Contains(path, "${") {
		return "", errors.New("variables of the environment are not expanded; write the path")
	}
	if path == "~" || strings.HasPrefix(path, "~/") {
		path = "%d" + path[1:]
	}
	if strings.HasPrefix(path, "~") {
		return "", errors.New("the home of another user is not known; write the path")
	}
	meanings := map[byte]string{'h': t.host, 'n': t.alias, 'r': t.user, 'p': "22"}
	if t.port != 0 {
		meanings['p'] = strconv.Itoa(int(t.port))
	}
	var err error
	if strings.Contains(path, "%u") {
		meanings['u'], err = t.local()
	}
	if strings.Contains(path, "%d") && err == nil {
		meanings['d'], err = t.home()
	}
	if err != nil {
		return "", err
	}
	return expandTokens(path, meanings)
}

// expandTokens puts meanings in the place of %-tokens. %% is a %.
func expandTokens(text string, meanings map[byte]string) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "%")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if after == "" {
			return "", errors.New("ends with %; write %% for a %")
		}
		meaning, known := meanings[after[0]]
		switch {
		case after[0] == '%':
			meaning = "%"
		case !known:
			return "", fmt.Errorf("token %%%s is not understood", after[:1])
		}
		b.WriteString(meaning)
		text = after[1:]
	}
}
