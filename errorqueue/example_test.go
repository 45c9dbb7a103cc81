package errorqueue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// The mail server was down, and is up again. The messages that failed because of it go back in
// batches.
func Example() {
	ctx := context.Background()
	conn, err := connection.New(connection.Config{URL: "amqp://localhost"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Stop(ctx) }()
	q, err := errorqueue.Open(ctx, conn, errorqueue.Config{Queue: "emails"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close(ctx)

	report, err := q.Groups(ctx, errorqueue.GroupOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range report.Groups {
		fmt.Println(g.Count, g.Sample.Reason, g.Sample.Error, "since", g.First)
	}

	filter := errorqueue.Filter{ErrorContains: "connection refused", OlderThan: 10 * time.Minute}
	done, err := q.Redrive(ctx, errorqueue.RedriveOptions{
		Filter:   filter,
		Batches:  []int{1, 10, 100, 1000},
		Watch:    2 * time.Minute, // longer than all delays of the consumer's Backoff together
		Tolerate: 0.05,
	})
	switch {
	case errors.Is(err, errorqueue.ErrFailedAgain): // the mail server was not the only cause
	case err != nil:
		log.Println(err)
	}
	fmt.Println("moved", done.Moved, "under the id", done.ID)
}

func ExampleParseFilter() {
	f, err := errorqueue.ParseFilter(`reason=timeout,panic older=36h body.user.id=42 error~"connection refused"`)
	fmt.Println(f.Reasons, f.OlderThan, f.Body[0].Path, f.Body[0].Value, err)

	_, err = errorqueue.ParseFilter("older=soon")
	fmt.Println(err)
	// Output:
	// [timeout panic] 36h0m0s user.id 42 <nil>
	// filter: older is "soon", want a duration above 0, such as 90s, 15m, 2h30m or 3d
}
