package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/publisher"
)

func (c Config) check() error {
	var errs []error
	if c.MaxBody < 0 {
		errs = append(errs, fmt.Errorf("outbox: MaxBody is %d, want a number of bytes above 0", c.MaxBody))
	}
	if c.Keep != 0 && c.Keep < time.Second {
		errs = append(errs, fmt.Errorf("outbox: Keep is %s, want 1s or more, or 0 for %s", c.Keep, DefaultKeep))
	}
	if len(c.Exchange) > 255 {
		errs = append(errs, fmt.Errorf("outbox: Exchange is %d bytes long, AMQP allows 255", len(c.Exchange)))
	}
	return errors.Join(errs...)
}

func (c Config) defaults() Config {
	if c.Codec == nil {
		c.Codec = publisher.JSON
	}
	c.Keep = cmp.Or(c.Keep, DefaultKeep)
	return c
}

// checkText refuses a text that no row can have, and over which PostgreSQL would abort the caller's
// transaction.
func checkText(name, text string) error {
	switch {
	case text == "":
		return fmt.Errorf("the %s is empty", name)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return fmt.Errorf("%w: the %s has a NUL byte or is not UTF-8", ErrUnknown, name)
	}
	return nil
}
