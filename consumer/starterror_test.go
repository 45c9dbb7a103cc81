package consumer

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestOneReasonOfManyConsumersIsOneError(t *testing.T) {
	other := errors.New("no such queue")
	var errs []error
	for i := range 12 {
		errs = append(errs, &startError{[]string{fmt.Sprint("c", i)}, fmt.Errorf("refused: %w", io.EOF)})
	}
	errs = append(errs, nil, &startError{[]string{"d"}, other})
	err := errors.Join(together(errs)...)
	want := `consumers "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9" and 2 more: start: refused: EOF
consumer "d": start: no such queue`
	if err.Error() != want {
		t.Errorf("it is\n%v\nwant\n%s", err, want)
	}
	if !errors.Is(err, io.EOF) || !errors.Is(err, other) {
		t.Error("the reasons are not in it")
	}
	if one := errs[0].Error(); !strings.HasPrefix(one, `consumer "c0": start: `) {
		t.Errorf("an error that was joined has become %q", one)
	}
}
