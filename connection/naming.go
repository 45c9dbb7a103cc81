package connection

import (
	"errors"
	"net/url"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
)

// escape is a character that is percent-encoded.
var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// naming checks the names, and gives the program's where there are none.
func (r *resolved) naming() error {
	var errs []error
	if strings.ContainsFunc(r.Name, func(r rune) bool { return r < ' ' }) || len(r.Name) > 200 {
		errs = append(errs, wrong("Name", "is %q, want at most 200 bytes of text", cut(r.Name, 40)))
	}
	if strings.ContainsFunc(r.Version, func(r rune) bool { return r < ' ' }) || len(r.Version) > 255 {
		errs = append(errs, wrong("Version", "is %q, want at most 255 bytes of text", cut(r.Version, 40)))
	}
	errs = append(errs, r.vhost())
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if r.Name == "" {
		r.Name = programName()
	}
	if r.Version == "" {
		r.Version = programVersion()
	}
	return nil
}

// vhost refuses a name that is percent-encoded, and one that AMQP does not allow.
func (r *resolved) vhost() error {
	if escape.MatchString(r.VHost) {
		// Clojure's Bunnicula puts the vhost into a URL, so there it may be percent-encoded.
		plain := escape.ReplaceAllStringFunc(r.VHost, func(one string) string {
			one, _ = url.PathUnescape(one) // escape matches nothing that it refuses
			return one
		})
		return wrong("VHost", "is %q, which is percent-encoded as in a URL, want %q; a vhost whose name has a percent sign goes into the URL, with %%25 for the sign", cut(r.VHost, 40), cut(plain, 40))
	}
	for _, t := range r.targets {
		if len(t.vhost) > 255 {
			return wrong("VHost", "is %d bytes long, AMQP allows 255", len(t.vhost))
		}
	}
	return nil
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

// programVersion is "" for a program that was built neither from a commit nor from a released
// module, such as a test.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return ""
	}
	return cut(info.Main.Version, 250)
}

func programName() string {
	name := os.Args[0]
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	return cut(name, 100)
}
