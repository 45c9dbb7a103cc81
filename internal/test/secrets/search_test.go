package secrets_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// secret is a password and its parts. A part is letters and digits, so no encoding changes it. No
// other word contains one.
type secret struct {
	user, password string
	parts          []string
}

var plain = secret{"plain", "Zq7Kv3XwJm9Ht4Ry", []string{"Zq7Kv3XwJm9Ht4Ry"}}

// special has characters that a URL needs encoded, and that people forget to encode.
var special = secret{"special", "p@ss/Zq7Kv3Xw:w%Jm9Ht4Ry?#", []string{"Zq7Kv3Xw", "Jm9Ht4Ry"}}

func (s secret) escaped() string { return url.UserPassword("", s.password).String()[1:] }

// find returns the forms of the secret that are in the text, each with its context.
func (s secret) find(text string) map[string]string {
	found := map[string]string{}
	lower := strings.ToLower(text)
	look := func(form, in, needle string) {
		if i := strings.Index(in, needle); i >= 0 {
			found[form] = text[max(0, i-150):min(len(text), i+len(needle)+50)]
		}
	}
	for _, part := range s.parts {
		look("plain", lower, strings.ToLower(part))
		look("hexadecimal", lower, hex.EncodeToString([]byte(part)))
		look("as numbers", text, strings.Trim(fmt.Sprint([]byte(part)), "[]"))
		look("as numbers with commas", text, strings.ReplaceAll(strings.Trim(fmt.Sprint([]byte(part)), "[]"), " ", ","))
		for _, b := range inBase64(part) {
			look("base64", text, b)
		}
	}
	look("URL-escaped", text, s.escaped())
	look("SASL PLAIN in base64", text, base64.StdEncoding.EncodeToString([]byte("\x00"+s.user+"\x00"+s.password)))
	return found
}

// inBase64 returns the forms of part within longer text in base64. Its bytes can begin at three
// offsets, and its first and last characters depend on the neighbours.
func inBase64(part string) []string {
	var all []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before, skip := range []int{0, 2, 3} {
			text := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + part))
			all = append(all, text[skip:(before+len(part))*8/6])
		}
	}
	return all
}

// Without this test, a search that finds nothing would prove nothing.
func TestAPasswordIsFoundInEveryForm(t *testing.T) {
	for _, s := range []secret{plain, special} {
		sasl := []byte("\x00" + s.user + "\x00" + s.password)
		for form, text := range map[string]string{
			"plain":                    s.password,
			"quoted":                   fmt.Sprintf("%q", s.password),
			"escaped in a URL":         (&url.URL{Scheme: "amqp", User: url.UserPassword(s.user, s.password), Host: "h"}).String(),
			"escaped in a query":       url.QueryEscape(s.password),
			"in lower case":            strings.ToLower(s.password),
			"cut by a parser":          s.password[strings.LastIndex(s.password, s.parts[len(s.parts)-1]):],
			"hexadecimal":              fmt.Sprintf("%X", s.password),
			"bytes":                    fmt.Sprint([]byte(s.password)),
			"bytes as Go writes them":  regexp.MustCompile(`0x`).ReplaceAllString(strings.ReplaceAll(fmt.Sprintf("%#v", sasl), ", ", ""), ""),
			"SASL PLAIN":               string(sasl),
			"SASL PLAIN in base64":     base64.StdEncoding.EncodeToString(sasl),
			"in base64, one further":   base64.StdEncoding.EncodeToString(append([]byte("x"), sasl...)),
			"in base64, two further":   base64.URLEncoding.EncodeToString(append([]byte("xy"), sasl...)),
			"password alone in base64": base64.StdEncoding.EncodeToString([]byte(s.password)),
			"JSON of bytes":            fmt.Sprintf("%v", base64.StdEncoding.EncodeToString([]byte("PLAIN "+s.password))),
		} {
			if len(s.find("before "+text+" after")) == 0 {
				t.Errorf("%s: not found in %q", form, text)
			}
		}
		if found := s.find("amqp://" + s.user + ":***@host, and all else"); len(found) > 0 {
			t.Errorf("found %v where nothing is", found)
		}
	}
}
