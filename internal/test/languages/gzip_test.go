package languages

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/codec"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestWhatGoCompressesAnotherLanguageInflatesAndTheOtherWayRound(t *testing.T) {
	c := codec.Gzip(publisher.Raw, codec.Limits{MinBytes: 1})
	each(t, func(l language) []string { return l.inflate }, func(t *testing.T, l language) {
		text := strings.Repeat("Zoë ", 200) // 1000 bytes
		sent, err := c.Encode(text)
		if err != nil || sent.ContentEncoding != "gzip" {
			t.Fatalf("%q, %v", sent.ContentEncoding, err)
		}
		if got, err := piped(t, l.inflate, sent.Bytes); err != nil || string(got) != text {
			t.Errorf("it inflates %d bytes: %v", len(got), err)
		}
		bomb, err := c.Encode(text + "x")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := piped(t, l.inflate, bomb.Bytes); err == nil {
			t.Errorf("it inflates %d bytes, at most 1000 are allowed", len(got))
		}

		theirs, err := piped(t, l.deflate, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := c.Decode(publisher.Body{Bytes: theirs, ContentEncoding: "gzip"}, &got); err != nil || got != text {
			t.Errorf("Go inflates %d bytes: %v", len(got), err)
		}
	})
}

// piped runs a program with a body as its standard input, and returns its standard output.
func piped(t *testing.T, command []string, body []byte) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir, cmd.Stdin = folder, bytes.NewReader(body)
	return cmd.Output()
}
