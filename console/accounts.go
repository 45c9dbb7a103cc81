package console

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

const (
	costLeast  = 10      // of a hash
	costMost   = 15      // one takes seconds
	secretMost = 1 << 20 // bytes of a file
)

// account is a line of a file of users.
type account struct {
	hash   []byte
	grants []Grant
}

// lineError says what is wrong with a line. It has nothing of the line: that could be a hash, or a
// password.
type lineError struct {
	line  int // from 1
	field string
	want  string
}

func (e *lineError) Error() string {
	return fmt.Sprintf("line %d, %s: want %s", e.line, e.field, e.want)
}

// parseAccounts reads the lines of a file of users. names are those of the users, sorted.
func parseAccounts(text string) (users map[string]account, names []string, err error) {
	users = map[string]account{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, a, err := parseAccount(n, line)
		if err != nil {
			return nil, nil, err
		}
		if _, twice := users[name]; twice {
			return nil, nil, &lineError{n, "user", "one that no line before it has"}
		}
		users[name] = a
	}
	if len(users) == 0 {
		return nil, nil, errNoUsers
	}
	return users, slices.Sorted(maps.Keys(users)), nil
}

func parseAccount(n int, line string) (name string, a account, err error) {
	name, rest, ok := strings.Cut(line, ":")
	if !ok || name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) || strings.HasPrefix(name, "$2") {
		return "", a, &lineError{n, "user", "user:hash or user:hash:rights, with a name of up to 64 letters"}
	}
	hash, rights, given := strings.Cut(rest, ":")
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || len(hash) != 60 {
		return "", a, &lineError{n, "hash", `one of bcrypt: "bunnicula console hash" makes it`}
	}
	if cost < costLeast || cost > costMost {
		return "", a, &lineError{n, "hash", fmt.Sprintf("a cost from %d to %d", costLeast, costMost)}
	}
	a = account{hash: []byte(hash), grants: []Grant{{Queues: "*", Right: Read}}}
	if given {
		if a.grants, err = parseGrants(rights); err != nil {
			return "", a, &lineError{n, "rights", err.Error()}
		}
	}
	return name, a, nil
}

var errGrants = errors.New("see, read, move or change, or a list such as orders*=move,mail-error=see")

// parseGrants reads a right to all queues, or a list of queues with rights.
func parseGrants(text string) (all []Grant, err error) {
	if right := rightNamed(text); right > 0 {
		return []Grant{{Queues: "*", Right: right}}, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		queues, name, ok := strings.Cut(item, "=")
		queues, right := strings.TrimSpace(queues), rightNamed(name)
		if star := strings.Index(queues, "*"); !ok || right == 0 || queues == "" || star >= 0 && star < len(queues)-1 {
			return nil, errGrants
		}
		all = append(all, Grant{Queues: queues, Right: right})
	}
	return all, nil
}

// rightNamed returns the right with a name, 0 if there is none.
func rightNamed(name string) Right {
	name = strings.TrimSpace(name)
	for right := See; right <= Change; right++ {
		if right.String() == name {
			return right
		}
	}
	return 0
}

// readSecret reads a file that others may not read, and that its owner alone may write.
func readSecret(name string) (info os.FileInfo, text []byte, err error) {
	f, err := os.Open(name) //nolint:gosec // whoever starts the program names it
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	const open = 0o027 // to write for the group, anything for others
	if mode := info.Mode(); runtime.GOOS != "windows" && mode.Perm()&open != 0 {
		return nil, nil, fmt.Errorf("%s has the mode %04o, want 0600 or 0640: chmod 600 %[1]s", name, mode.Perm())
	}
	if text, err = io.ReadAll(io.LimitReader(f, secretMost+1)); err != nil {
		return nil, nil, err
	}
	if len(text) > secretMost {
		return nil, nil, fmt.Errorf("%s has more than 1 MiB", name)
	}
	return info, text, nil
}

// HashPassword makes the hash for a line of a file that [NewBasic] reads. A password has 72 bytes
// at most.
func HashPassword(password string) (string, error) {
	const cost = 12 // a quarter of a second
	switch {
	case password == "":
		return "", errors.New("console: the password is empty")
	case len(password) > 72:
		return "", errors.New("console: the password has more than 72 bytes")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	return string(hash), err
}

// ReadKey reads a file with a key for [Config.Key]: 32 bytes or more, such as the 64 letters of
// "openssl rand -hex 32". Ends of lines at its end are not part of it. The file must be one that
// only its owner may write and that others may not read.
func ReadKey(file string) ([]byte, error) {
	_, text, err := readSecret(file)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	key := []byte(strings.TrimRight(string(text), "\r\n"))
	if len(key) < keyLeast {
		return nil, fmt.Errorf("console: %s has %d bytes, want %d or more: openssl rand -hex 32", file, len(key), keyLeast)
	}
	return key, nil
}

const keyLeast = 32
