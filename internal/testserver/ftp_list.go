package testserver

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// entries are what a directory holds, by name.
func (s *ftpSession) entries(dir string) ([]fs.FileInfo, error) {
	f, err := s.server.root.Open(s.path(dir))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	list, err := f.Readdir(-1)
	slices.SortFunc(list, func(a, b fs.FileInfo) int { return cmp.Compare(a.Name(), b.Name()) })
	return list, err
}

// ftpList is LIST or NLST, for a directory or a file.
func ftpList(line func(s *ftpSession, dir string, info fs.FileInfo) string) func(context.Context, *ftpSession, string) {
	return func(ctx context.Context, s *ftpSession, name string) {
		for strings.HasPrefix(name, "-") { // options of ls
			_, name, _ = strings.Cut(name, " ")
		}
		info, err := s.server.root.Stat(s.path(name))
		if err != nil {
			s.refuse(err)
			return
		}
		list, dir := []fs.FileInfo{info}, "."
		if info.IsDir() {
			dir = name
			if list, err = s.entries(name); err != nil {
				s.refuse(err)
				return
			}
		}
		var text strings.Builder
		for _, entry := range list {
			text.WriteString(line(s, dir, entry) + "\r\n")
		}
		s.send(ctx, text.String())
	}
}

func nameLine(_ *ftpSession, _ string, info fs.FileInfo) string { return info.Name() }

// listLine is a line of ls -l, in UTC: with the time if the file changed in the last six months, else with the year.
func listLine(s *ftpSession, dir string, info fs.FileInfo) string {
	const recent = 182 * 24 * time.Hour
	modified, layout := info.ModTime().UTC(), "Jan _2  2006"
	if age := time.Since(modified); age > -time.Minute && age < recent {
		layout = "Jan _2 15:04"
	}
	mode, name := []byte(info.Mode().Perm().String()), info.Name()
	switch {
	case info.IsDir():
		mode[0] = 'd'
	case info.Mode()&fs.ModeSymlink != 0:
		mode[0] = 'l'
		if target, err := s.server.root.Readlink(s.path(dir + "/" + name)); err == nil {
			name += " -> " + target
		}
	}
	return fmt.Sprintf("%s %3d %-8s %-8s %12d %s %s",
		mode, 1, "hawser", "hawser", info.Size(), modified.Format(layout), name)
}

// mlstFacts are the facts that MLST and MLSD know (RFC 3659, section 7.5).
func mlstFacts() []string { return []string{"type", "size", "modify", "perm", "UNIX.mode"} }

// factLine is an entry of MLST and MLSD. kind replaces its type, if it is set.
func (s *ftpSession) factLine(info fs.FileInfo, kind, name string) string {
	perm := "adfrw"
	switch {
	case info.IsDir():
		kind, perm = cmp.Or(kind, "dir"), "cdeflmp"
	case info.Mode()&fs.ModeSymlink != 0:
		kind = cmp.Or(kind, "OS.unix=symlink")
	default:
		kind = cmp.Or(kind, "file")
	}
	values := map[string]string{
		"type": kind, "perm": perm, "modify": info.ModTime().UTC().Format(ftpTime),
		"UNIX.mode": fmt.Sprintf("%04o", info.Mode().Perm()),
	}
	if !info.IsDir() {
		values["size"] = fmt.Sprint(info.Size())
	}
	var line strings.Builder
	for _, fact := range s.facts {
		if value, ok := values[fact]; ok {
			line.WriteString(fact + "=" + value + ";")
		}
	}
	return line.String() + " " + name
}

func ftpMLSD(ctx context.Context, s *ftpSession, name string) {
	self, err := s.server.root.Stat(s.path(name))
	if err == nil && !self.IsDir() {
		s.reply(501, "not a directory")
		return
	}
	var list []fs.FileInfo
	if err == nil {
		list, err = s.entries(name)
	}
	if err != nil {
		s.refuse(err)
		return
	}
	var text strings.Builder
	text.WriteString(s.factLine(self, "cdir", ".") + "\r\n")
	text.WriteString(s.factLine(self, "pdir", "..") + "\r\n")
	for _, entry := range list {
		text.WriteString(s.factLine(entry, "", entry.Name()) + "\r\n")
	}
	s.send(ctx, text.String())
}

func ftpMLST(_ context.Context, s *ftpSession, name string) {
	info, err := s.server.root.Lstat(s.path(name))
	if err != nil {
		s.refuse(err)
		return
	}
	s.reply(250, "listing\n"+s.factLine(info, "", s.absolute(name))+"\nend")
}

func ftpSTAT(_ context.Context, s *ftpSession, name string) {
	if name != "" {
		s.reply(502, "STAT of a file is not understood")
		return
	}
	s.reply(211, "you are "+s.user+"\nall is well")
}

// ftpFEAT answers RFC 2389, section 3.
func ftpFEAT(_ context.Context, s *ftpSession, _ string) {
	known := func(verb string) bool {
		_, ok := s.server.commands[verb]
		return ok
	}
	lines := []string{"Features:"}
	for _, verb := range []string{"EPRT", "EPSV", "MDTM", "MFMT", "SIZE", "XCRC", "XMD5", "XSHA1", "XSHA256", "XSHA512"} {
		if known(verb) {
			lines = append(lines, verb)
		}
	}
	if known("REST") {
		lines = append(lines, "REST STREAM")
	}
	if known("MLST") {
		lines = append(lines, "MLST "+s.marked(mlstFacts(), s.facts...))
	}
	if known("HASH") {
		lines = append(lines, "HASH "+s.marked(hashNames(), s.hash))
	}
	if s.tls != nil && known("AUTH") {
		lines = append(lines, "AUTH TLS", "PBSZ", "PROT")
	}
	s.reply(211, strings.Join(append(lines, "UTF8", "End"), "\n"))
}

// marked writes a list with a star at those that are chosen.
func (s *ftpSession) marked(all []string, chosen ...string) string {
	var text strings.Builder
	for _, name := range all {
		text.WriteString(name)
		if slices.Contains(chosen, name) {
			text.WriteString("*")
		}
		text.WriteString(";")
	}
	return text.String()
}

// ftpOPTS answers OPTS UTF8, MLST (RFC 3659, section 7.9) and HASH.
func ftpOPTS(_ context.Context, s *ftpSession, arg string) {
	what, value, _ := strings.Cut(arg, " ")
	switch strings.ToUpper(what) {
	case "UTF8":
		s.reply(200, "always")
	case "MLST":
		var chosen []string
		for _, fact := range mlstFacts() {
			if slices.ContainsFunc(strings.Split(value, ";"), func(f string) bool { return strings.EqualFold(f, fact) }) {
				chosen = append(chosen, fact)
			}
		}
		s.facts = chosen
		s.reply(200, "MLST OPTS "+strings.Join(append(chosen, ""), ";"))
	case "HASH":
		s.chooseHash(value)
	default:
		s.reply(501, "only UTF8, MLST and HASH have options")
	}
}
