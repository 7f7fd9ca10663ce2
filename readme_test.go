package hawser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/file"
)

// snippetHead stands before a block that is not a whole file: what the blocks
// of README use without saying so.
const snippetHead = `package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/proxy"
	"github.com/hawser/hawser/registry"
	"github.com/hawser/hawser/registry/file"
	"github.com/hawser/hawser/registry/seal"
	"github.com/hawser/hawser/smtp"
	"github.com/hawser/hawser/ssh"
	"github.com/hawser/hawser/standard"
)

var _ = []any{context.Canceled, errors.New, fmt.Sprint, io.EOF, os.Stdin, certs.Memory, proxy.OpDial, smtp.File, ssh.Dialer{}, standard.New, sync.Once{}, registry.ReadOnly, file.Open, seal.KeyFile}

func main() {}

func _(ctx context.Context, m *hawser.Manager, connections, environment hawser.Registry, connection hawser.Connection, trust certs.Store) error {
	{
`

// snippetTail ends it, also where the block returns at its end.
const snippetTail = `
	}
	return nil
}
`

func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)

	t.Run("every Go block compiles", func(t *testing.T) {
		t.Parallel()
		blocks := codeBlocks(string(text), "go")
		require.NotEmpty(t, blocks)
		buildBlocks(t, blocks)
	})
	t.Run("every JSON block is a valid connection", func(t *testing.T) {
		t.Parallel()
		blocks := codeBlocks(string(text), "json")
		require.NotEmpty(t, blocks)
		for _, block := range blocks {
			var c hawser.Connection
			require.NoError(t, json.Unmarshal([]byte(block), &c))
			require.NoError(t, c.Validate())
		}
	})
	t.Run("every YAML block is a registry", func(t *testing.T) {
		t.Parallel()
		blocks := codeBlocks(string(text), "yaml")
		require.NotEmpty(t, blocks)
		for _, block := range blocks {
			path := filepath.Join(t.TempDir(), "connections.yaml")
			require.NoError(t, os.WriteFile(path, []byte(block), 0o600))
			reg, err := file.Open(path, file.Options{})
			require.NoError(t, err)
			require.NoError(t, reg.Close())
		}
	})
	t.Run("every link and every program that it names is there", func(t *testing.T) {
		t.Parallel()
		for _, found := range regexp.MustCompile(`\]\(([^)]+)\)|go run \./(\S+)`).FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(found[1], "https://") {
				continue
			}
			_, err := os.Stat(found[1] + found[2])
			assert.NoError(t, err)
		}
	})
}

// codeBlocks returns the fenced blocks of a language.
func codeBlocks(text, language string) []string {
	var blocks []string
	for _, found := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, found[1])
	}
	return blocks
}

// buildBlocks compiles blocks as programs of this module that exist only in an
// overlay.
func buildBlocks(t *testing.T, blocks []string) {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	scratch := t.TempDir()
	replace := map[string]string{}
	args := []string{"build", "-overlay", filepath.Join(scratch, "overlay.json")}
	for i, block := range blocks {
		if !strings.HasPrefix(block, "package ") {
			block = snippetHead + block + snippetTail
		}
		file := filepath.Join(scratch, fmt.Sprintf("block%d.go", i))
		require.NoError(t, os.WriteFile(file, []byte(block), 0o600))
		name := fmt.Sprintf("readmeblock%d", i)
		replace[filepath.Join(dir, name, "main.go")] = file
		args = append(args, "./"+name)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(args[2], overlay, 0o600))
	out, err := exec.Command("go", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
