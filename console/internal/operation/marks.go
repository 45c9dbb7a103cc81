package operation

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// mark is a Message.Mark in fewer bytes.
type mark [16]byte

func packed(text string) (m mark, ok bool) {
	if len(text) != 2*len(m) {
		return m, false
	}
	n, err := hex.Decode(m[:], []byte(text))
	return m, err == nil && n == len(m)
}

// A file of marks has a line that describes it, the marks, and the digest of all that.
const marksHead = "bunnicula marks 1\n"

// writeMarks writes marks into a new file, and returns when they are on the disk.
func writeMarks(file string, marks []string) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(file)
		}
	}()
	out := bufio.NewWriter(f)
	digest := sha256.New()
	both := io.MultiWriter(out, digest)
	if _, err := io.WriteString(both, marksHead); err != nil {
		return err
	}
	for _, text := range marks {
		m, _ := packed(text) // resolve has checked it
		if _, err := both.Write(m[:]); err != nil {
			return err
		}
	}
	if _, err := out.Write(digest.Sum(nil)); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// readMarks reads a file of marks.
func readMarks(file string, count int) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	in, digest := bufio.NewReader(f), sha256.New()
	head := make([]byte, len(marksHead))
	if err := take(in, digest, head); err != nil || string(head) != marksHead {
		return nil, fmt.Errorf("%s: it is no file of marks", file)
	}
	var marks []string
	for range count {
		var m mark
		if err := take(in, digest, m[:]); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		marks = append(marks, hex.EncodeToString(m[:]))
	}
	want := digest.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != string(want) {
		return nil, fmt.Errorf("%s: it is not whole", file)
	}
	return marks, nil
}

func take(in io.Reader, digest hash.Hash, b []byte) error {
	if _, err := io.ReadFull(in, b); err != nil {
		return err
	}
	_, err := digest.Write(b)
	return err
}
