package hawser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A SecretResolver turns a reference into its value. Implementations are safe
// for concurrent use. An error says why in words that hold no secret.
type SecretResolver interface {
	ResolveSecret(ctx context.Context, ref string) (string, error)
}

// LocalSecrets resolves "env:NAME" from the environment of this process and
// "file:/path" from a file, without the line end that it may close with. It is
// what a [Manager] without Secrets uses. A variable that is not set, or a file
// that is empty, is an error, never an empty secret.
type LocalSecrets struct{}

var _ SecretResolver = LocalSecrets{}

// maxSecret bounds, in bytes, what is read as one secret: a private key fits
// many times over, a file named by mistake does not fill the memory.
const maxSecret = 1 << 20

// ResolveSecret returns the value of ref.
func (LocalSecrets) ResolveSecret(ctx context.Context, ref string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	scheme, rest, ok := strings.Cut(ref, ":")
	if !ok { // perhaps a literal that stands in the wrong place, so it is not quoted
		return "", errors.New("secret reference has no scheme; write env:NAME or file:/path")
	}
	switch scheme {
	case "env":
		return secretFromEnv(rest)
	case "file":
		return secretFromFile(rest)
	}
	return "", fmt.Errorf("unknown scheme %q in secret reference; this resolver knows env:NAME and file:/path", scheme)
}

func secretFromEnv(name string) (string, error) {
	value := os.Getenv(name)
	if value == "" {
		return "", fmt.Errorf("environment variable %q is empty or not set", name)
	}
	return value, nil
}

func secretFromFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecret {
		return "", fmt.Errorf("secret file %s is larger than 1 MiB", path)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("secret file %s is empty", path)
	}
	return value, nil
}

// resolveSecrets replaces every reference in c by its value. c is a copy that
// is about to be dialed and is never stored.
func resolveSecrets(ctx context.Context, r SecretResolver, c *Connection) error {
	if r == nil {
		r = LocalSecrets{}
	}
	var problems []error
	for name, secret := range c.Secrets() {
		ref := secret.Ref()
		if ref == "" {
			continue
		}
		value, err := r.ResolveSecret(ctx, ref)
		switch {
		case err != nil:
		case value == "": // it would be no secret at all, and log in without one
			err = errors.New("reference leads to an empty secret")
		case breaksLine(name, value):
			err = errors.New("secret holds CR, LF or NUL")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			continue
		}
		*secret = NewSecret(value)
	}
	return errors.Join(problems...)
}
