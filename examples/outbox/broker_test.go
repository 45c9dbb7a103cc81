package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
)

func TestEveryOrderIsAccountedForWhenProcessesAreKilled(t *testing.T) {
	t.Parallel()
	s := newSelling(t, amqptest.URL(t), "-n", "60", "-kills", "4", "-victims", "shop,worker").onSharedBroker(t)
	code, out, _ := s.run(t, t.Context())
	if code != drill.ExitOK || strings.Contains(out, "killed    0") {
		t.Errorf("exit code %d, or nothing was killed", code)
	}
	drilltest.MustContain(t, out, s.verdict())
	s.accounted(t)
}

func TestNothingIsLeftBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("OUTBOX_DSN", "")
	s := newSelling(t, amqptest.URL(t), "-n", "10", "-dsn", "").onSharedBroker(t)
	if code, _, _ := s.run(t, t.Context(), "-keep=false"); code != drill.ExitOK {
		t.Errorf("exit code %d", code)
	}
	s.leavesNoQueue(t)
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("there are still %v: %v", left, err)
	}
}

func TestADatabaseOfSomebodyElseKeepsWhatItHad(t *testing.T) {
	t.Parallel()
	s := newSelling(t, amqptest.URL(t), "-n", "10").onSharedBroker(t)
	db, err := open(s.Options, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE theirs (id INTEGER)`); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second deletes what the first has left, which is nothing
		if code, _, _ := s.run(t, t.Context(), "-keep=false", "-fresh"); code != drill.ExitOK {
			t.Errorf("exit code %d", code)
		}
	}
	s.leavesNoQueue(t)
	number(t, db, `SELECT count(*) FROM theirs`)
	if n := number(t, db, `SELECT count(*) FROM sqlite_master WHERE name LIKE 'example%'`); n != 0 {
		t.Errorf("%d tables of the example are left", n)
	}
}

func (s selling) leavesNoQueue(t *testing.T) {
	t.Helper()
	for _, queue := range s.queues(t) {
		if amqptest.Exists(t, queue) {
			t.Errorf("queue %s is still there", queue)
		}
	}
}

func TestMessagesOfAnotherRunAreNotTouched(t *testing.T) {
	t.Parallel()
	s := newSelling(t, amqptest.URL(t), "-n", "1").onSharedBroker(t)
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDeclare(s.MailQueue(), true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	amqptest.Publish(t, "", s.MailQueue(), amqp.Publishing{MessageId: "another"})
	code, _, said := s.run(t, t.Context())
	if code != drill.ExitFailed || amqptest.Depth(t, s.MailQueue()) != 1 {
		t.Errorf("exit code %d, and %d messages in the queue", code, amqptest.Depth(t, s.MailQueue()))
	}
	drilltest.MustContain(t, said, "hold 1 messages of another run: -fresh deletes them")
}

var someInvoices = regexp.MustCompile(`invoices [1-9]`)

func TestAStoppedRunSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	s := newSelling(t, amqptest.URL(t), "-n", "100000", "-rate", "20").onSharedBroker(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, said drilltest.Output
	ended := make(chan int)
	go func() { ended <- run(ctx, s.args, strings.NewReader(""), &out, &said) }()
	amqptest.Eventually(t, 30*time.Second, func() bool { return someInvoices.MatchString(said.String()) }, "no invoice is written")
	stop()
	if code := <-ended; code != drill.ExitStopped {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, said.String(), "stopped; -fresh begins anew")
	s.N = 10
	if code, out, _ := s.run(t, t.Context(), "-n", "10", "-fresh"); code != drill.ExitOK || !strings.Contains(out, s.verdict()) {
		t.Errorf("exit code %d of the run that begins anew", code)
	}
}

func TestOnSQLiteEveryOrderIsAccountedForWhenTheRelayIsKilledToo(t *testing.T) {
	amqptest.Long(t) // the lease of a killed relay takes 20 s
	t.Parallel()
	s := newSelling(t, amqptest.URL(t), "-n", "200", "-kills", "8", "-seed", "2").onSharedBroker(t)
	code, out, _ := s.run(t, t.Context())
	if code != drill.ExitOK {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, out, s.verdict(), "relay")
	s.accounted(t)
}

func TestOnPostgreSQLEveryOrderIsAccountedForWhenSessionsAreKilledToo(t *testing.T) {
	amqptest.Long(t) // it needs a PostgreSQL
	for seed := 1; seed <= 2; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := newSelling(t, amqptest.URL(t), "-n", "300", "-kills", "10", "-seed", fmt.Sprint(seed), "-dsn", pgtest.DSN(t)).onSharedBroker(t)
			code, out, _ := s.run(t, t.Context())
			if code != drill.ExitOK {
				t.Errorf("exit code %d", code)
			}
			drilltest.MustContain(t, out, s.verdict(), "database", "relay", "shop", "worker 1")
			s.accounted(t)
		})
	}
}

func TestOnPostgreSQLEveryOrderIsAccountedForWhenTheBrokerIsKilledToo(t *testing.T) {
	amqptest.Long(t) // it starts a broker, and kills it
	b := amqptest.StartBroker(t)
	var kills atomic.Int32
	drill.Shell = func(context.Context, string) ([]byte, error) {
		if kills.Add(1) == 1 {
			b.Settle() // a queue that was declared just now
		}
		b.Kill()
		b.Start()
		return nil, nil
	}
	s := newSelling(t, b.URL, "-n", "300", "-kills", "10", "-dsn", pgtest.DSN(t), "-kill-broker", "of the test's own")
	code, out, _ := s.run(t, t.Context())
	if code != drill.ExitOK || kills.Load() == 0 {
		t.Errorf("exit code %d, the broker was killed %d times", code, kills.Load())
	}
	drilltest.MustContain(t, out, s.verdict(), "broker")
	s.accounted(t)
}

func TestWhatIsDoneTwiceIsNamedAndEndsWithOne(t *testing.T) {
	t.Parallel()
	s := newSelling(t, amqptest.URL(t), "-n", "30").onSharedBroker(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		db, err := open(s.Options, "test")
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = db.Close() }()
		amqptest.Eventually(t, 20*time.Second, func() bool {
			r, err := db.ExecContext(t.Context(), `INSERT INTO example_mails SELECT * FROM example_mails LIMIT 1`)
			if err != nil {
				return false // the tables are not there yet
			}
			n, err := r.RowsAffected()
			return err == nil && n == 1
		}, "there is no mail")
	}()
	code, out, said := s.run(t, t.Context(), "-keep=false")
	<-ended
	if code != drill.ExitFailed || !amqptest.Exists(t, s.MailQueue()) {
		t.Errorf("exit code %d, or the queues were deleted", code)
	}
	drilltest.MustContain(t, out, "it does not add up:", "it was accepted, and has 2 mails")
	drilltest.MustContain(t, said, "not every order is accounted for")
}
