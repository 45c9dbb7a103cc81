package publishertest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

type Email struct{ To string }

// greet is the code under test. It takes a Publisher, so that a test can give it a Recorder.
func greet(ctx context.Context, pub publisher.Publisher, to string) error {
	return pub.Publish(ctx, "emails", Email{To: to}, publisher.Type("greeting"))
}

func ExampleRecorder() {
	var pub publishertest.Recorder
	_ = greet(context.Background(), &pub, "ada@example.com")

	for _, m := range pub.Sent("emails") {
		fmt.Println(m.Payload.(Email).To, m.Type, string(m.Body))
	}

	pub.Err = errors.New("broker is down")
	fmt.Println(greet(context.Background(), &pub, "bob@example.com"))
	// Output:
	// ada@example.com greeting {"To":"ada@example.com"}
	// publisher: publish to "emails": broker is down
}
