package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// Lines makes a message of each line of a text.
func Lines(texts *pipeline.Pipeline) consumer.Spec {
	return consumer.Spec{
		Queue: "texts",
		Handler: pipeline.Stage(texts, "lines", func(_ context.Context, in consumer.Message[string], emit pipeline.Emit[string]) consumer.Result {
			for line := range strings.Lines(in.Payload) {
				if err := emit(strings.TrimSpace(line)); err != nil {
					return consumer.Retry(err)
				}
			}
			return consumer.Ack()
		}),
	}
}

// Words counts the words of a line.
func Words(texts *pipeline.Pipeline) consumer.Spec {
	return consumer.Spec{
		Queue: "lines",
		Handler: pipeline.Sink(texts, func(_ context.Context, in consumer.Message[string]) consumer.Result {
			fmt.Println(len(strings.Fields(in.Payload)))
			return consumer.Ack()
		}),
	}
}

// A program with stages is an fx app. Stages may as well be in several programs.
func Example() {
	fx.New(
		connection.Module, publisher.Module, consumer.Module, pipeline.Module,
		fx.Provide(connection.ConfigFromEnv, func() pipeline.Config { return pipeline.Config{Name: "texts"} }),
		consumer.Provide(Lines, Words),
	).Run()
}

// A stage is tested like any handler. A message that is of no job is handled too, and not reported.
func ExampleStage() {
	t := new(testing.T) // in a real test t is the test's own
	var pub publishertest.Recorder
	conn, _ := connection.New(connection.Config{URL: "amqp://localhost"}, nil)
	texts, _ := pipeline.New(conn, &pub, pipeline.Config{Name: "texts"})

	consumertest.New(t, Lines(texts)).Deliver("one\ntwo\n").AssertAcked()
	for _, m := range pub.Sent("lines") {
		fmt.Printf("%s %s\n", m.Headers["job-path"], m.Body)
	}
	fmt.Println("failed:", t.Failed())
	// Output:
	// 1.1 "one"
	// 1.2 "two"
	// failed: false
}
