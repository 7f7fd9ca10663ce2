package seal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"time"

	"filippo.io/age"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/atomicfile"
)

// maxKeyFile bounds what is read of a key file, in bytes. Each identity takes
// less than 100.
const maxKeyFile = 1 << 20

// KeyFile returns the key in the file at path, in the form of age-keygen. A file
// that is missing is made, for its owner alone (0600), when a registry in which
// nothing is sealed yet opens the key; a registry that needs the file gets an
// error instead. A file that others may read is refused, but for Windows, whose
// permissions are not looked at. Back the file up: without it nothing that it
// sealed is readable.
func KeyFile(path string) *Key {
	return &Key{load: func(ctx context.Context, h Header) (identity, Header, error) {
		found, err := readKeyFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			if h.Recipient != "" {
				return nil, h, fmt.Errorf("key file: %w; the registry is sealed to %s and needs the file back",
					err, hawser.Printable(h.Recipient))
			}
			found, err = makeKeyFile(ctx, path)
		}
		if err != nil {
			return nil, h, fmt.Errorf("key file: %w", err)
		}
		return choose(found, h)
	}}
}

func readKeyFile(path string) ([]*age.X25519Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, fmt.Errorf("%s may be used by others (mode %#o); run: chmod 600 %[1]s", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, err
	}
	found, err := parseIdentities(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return found, nil
}

// makeKeyFile leaves the file alone that another process made meanwhile.
func makeKeyFile(ctx context.Context, path string) ([]*age.X25519Identity, error) {
	unlock, err := atomicfile.Lock(ctx, path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	found, err := readKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	own, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", time.Now().UTC().Format(time.RFC3339), own.Recipient(), own)
	if err := atomicfile.Write(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return []*age.X25519Identity{own}, nil
}
