package filter

import (
	"strconv"
	"strings"
	"unicode"
)

// scanner reads a filter's text.
type scanner struct{ rest string }

func (s *scanner) space() { s.rest = strings.TrimLeftFunc(s.rest, unicode.IsSpace) }

func (s *scanner) op() string {
	if s.rest != "" && (s.rest[0] == '=' || s.rest[0] == '~') {
		op := s.rest[:1]
		s.rest = s.rest[1:]
		return op
	}
	return ""
}

// word reads quoted text, or text up to white space or one of these characters.
func (s *scanner) word(until string) (string, error) {
	if strings.HasPrefix(s.rest, `"`) {
		text, err := strconv.QuotedPrefix(s.rest)
		if err != nil {
			return "", &Error{"a value", s.rest, "its closing quote"}
		}
		s.rest = s.rest[len(text):]
		word, err := strconv.Unquote(text)
		if err != nil {
			return "", &Error{"a value", text, "quotes as in Go"}
		}
		if next := s.rest; next != "" && !unicode.IsSpace(rune(next[0])) && !strings.ContainsAny(next[:1], until+",") {
			return "", &Error{"a value", text + next[:1] + "...", "a space behind the closing quote"}
		}
		return word, nil
	}
	end := strings.IndexFunc(s.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(until, r) })
	if end < 0 {
		end = len(s.rest)
	}
	word := s.rest[:end]
	if strings.Contains(word, `"`) {
		return "", &Error{"a value", word, "quotes around all of it, or none in it"}
	}
	s.rest = s.rest[end:]
	return word, nil
}

// values reads values that are separated by commas.
func (s *scanner) values(key string) ([]string, error) {
	var all []string
	for {
		inQuotes := strings.HasPrefix(s.rest, `"`)
		v, err := s.word(" ,")
		if err != nil {
			return nil, err
		}
		if v == "" && !inQuotes { // probably from an unset variable of a shell
			return nil, &Error{key, "", "a value, as in " + example(key)}
		}
		all = append(all, v)
		if !strings.HasPrefix(s.rest, ",") {
			break
		}
		s.rest = s.rest[1:]
	}
	if len(all) == 1 && all[0] == "" {
		return nil, &Error{key, "", "a value, as in " + example(key)}
	}
	return all, nil
}

// quoted writes a value so that word reads it back.
func quoted(v string) string {
	plain := v != "" && !strings.ContainsFunc(v, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '"' || r == ',' || r == unicode.ReplacementChar
	})
	if plain {
		return v
	}
	return strconv.Quote(v)
}
