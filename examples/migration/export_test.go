package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

func TestTheOldFileIsTheSameForASeedAndIsNotMadeAgain(t *testing.T) {
	one, same, other := made(t, "", "q", 1000, 1, 1), made(t, "", "q", 1000, 1, 1), made(t, "", "q", 1000, 1, 2)
	all := mustRead(t, one)
	if !slices.Equal(all, mustRead(t, same)) || slices.Equal(all, mustRead(t, other)) {
		t.Error("the seed does not decide what is in it")
	}
	if withDots, without := odd(all); withDots < 50 || without < 3 || len(all) != 1000 {
		t.Errorf("%d records, %d with dots, %d without a date", len(all), withDots, without)
	}
	one.Records = 5
	if err := makeOld(one); err != nil || len(mustRead(t, one)) != 1000 {
		t.Errorf("it was made again, or: %v", err)
	}
}

func TestTheFileIsReadOnFromAnyPosition(t *testing.T) {
	o := made(t, "", "q", 100, 1, 1)
	var all []Customer
	for at := int64(0); ; {
		old, err := openOld(o.Source, at)
		if err != nil {
			t.Fatal(err)
		}
		some, end, err := old.Next(7)
		old.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		all, at = append(all, some...), end
	}
	if !slices.Equal(all, mustRead(t, o)) {
		t.Errorf("%d records, and they differ", len(all))
	}
}

func TestAPositionThatCannotBeReadEndsTheExport(t *testing.T) {
	o := made(t, "", "q", 10, 1000, 1)
	if err := os.WriteFile(positionFile(o), []byte(`{"Records":`), 0o600); err != nil {
		t.Fatal(err)
	}
	var pub publishertest.Recorder
	if err := export(t.Context(), o, &pub, io.Discard); err == nil || len(pub.Messages()) > 0 {
		t.Errorf("%d records were published: %v", len(pub.Messages()), err)
	}
}

// dying is a Publisher whose process ends behind a number of batches: the last one is published,
// and not confirmed.
type dying struct {
	*publishertest.Recorder

	left int
}

var errDied = errors.New("killed")

func (d *dying) PublishBatch(ctx context.Context, all ...publisher.Message) error {
	if err := d.Recorder.PublishBatch(ctx, all...); err != nil {
		return err
	}
	if d.left--; d.left < 0 {
		return errDied
	}
	return nil
}

func TestAKilledExportGoesOnBehindWhatIsConfirmed(t *testing.T) {
	o := made(t, "", "q", 3*batch+batch/2, 1_000_000, 1)
	var pub publishertest.Recorder
	for left := range 2 { // killed at its first batch, and then at its second
		if err := export(t.Context(), o, &dying{&pub, left}, io.Discard); !errors.Is(err, errDied) {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := export(t.Context(), o, &pub, &out); err != nil {
		t.Fatal(err)
	}
	if want := "goes on behind 50 records\npublished 175 records, all there are\n"; out.String() != want {
		t.Errorf("it said %q, want %q", out.String(), want)
	}
	times := map[string]int{}
	for _, m := range pub.Sent("q") {
		times[m.MessageId]++
	}
	for i, c := range mustRead(t, o) {
		want := 1
		if i < 2*batch {
			want = 2
		}
		if n := times[c.MessageID()]; n != want {
			t.Errorf("%s was published %d times, want %d", c.MessageID(), n, want)
		}
	}
	if n := len(pub.Messages()); n != 3*batch+batch/2+2*batch {
		t.Errorf("%d messages", n)
	}
}

func TestAStoppedExportKeepsThePositionOfWhatIsConfirmed(t *testing.T) {
	o := made(t, "", "q", 3*batch, 1, 1) // it would pause for 50 s behind each batch
	ctx, stop := context.WithCancel(t.Context())
	pub := &stopping{&publishertest.Recorder{}, stop}
	if err := export(ctx, o, pub, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if at, err := readPosition(positionFile(o)); err != nil || at.Records != batch {
		t.Errorf("the position is %d: %v", at.Records, err)
	}
}

// stopping is a Publisher that is stopped when it has confirmed a batch.
type stopping struct {
	*publishertest.Recorder

	stop context.CancelFunc
}

func (s *stopping) PublishBatch(ctx context.Context, all ...publisher.Message) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	defer s.stop()
	return s.Recorder.PublishBatch(ctx, all...)
}
