package hawser_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readers tells which protocols read a field: the longest prefix counts. A new
// group or field of a Connection needs a row here.
func readers() map[string]protocols {
	known := knownProtocols()
	return map[string]protocols{
		"name": known, "description": known, "group": known, "protocol": known, "host": known, "port": known,
		"timeout": known, "via": known, "extra": known, "extra_secrets": known,
		"auth.anonymous": known, "auth.user": known, "auth.password": known, "proxy": known, "limits": known, "log": known,
		"auth.token": {smtp}, "auth.key": {ssh, sftp}, "auth.agent": {ssh, sftp},
		"tls": {ftp, smtp}, "tls.data": {ftp},
		"ftp": {ftp}, "ssh": {ssh, sftp}, "sftp": {sftp}, "smtp": {smtp},
	}
}

func readersOf(t *testing.T, name string) protocols {
	t.Helper()
	for prefix := name; ; {
		if list := readers()[prefix]; list != nil {
			return list
		}
		i := strings.LastIndexByte(prefix, '.')
		require.Positive(t, i, "%s: nobody says which protocols read it", name)
		prefix = prefix[:i]
	}
}

func TestValidateRefusesOptionsOfAnotherProtocol(t *testing.T) {
	t.Parallel()
	for _, l := range leaves() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			list := readersOf(t, l.name)
			for _, protocol := range knownProtocols() {
				c := valid(protocol)
				if protocol == ftp && l.name != "tls.mode" && strings.HasPrefix(l.name, "tls.") {
					secure(&c)
				}
				if l.name != "protocol" {
					l.fill(&c)
				}
				var found []string
				for _, problem := range fieldErrors(t, c.Validate()) {
					if strings.Contains(problem.Problem, "has no effect with protocol "+string(protocol)+"; it is for ") {
						found = append(found, problem.Field)
					}
				}
				if slices.Contains(list, protocol) {
					assert.Empty(t, found, "%s reads it", protocol)
				} else {
					assert.Equal(t, []string{l.name}, found, "%s does not read it", protocol)
				}
			}
		})
	}
}
