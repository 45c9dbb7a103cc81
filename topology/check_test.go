package topology_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

func TestAPlanIsRefusedForWhatIsWrongWithIt(t *testing.T) {
	type plan = topology.Plan
	type arguments = map[string]any
	binds := func(b ...topology.Bind) []topology.Bind { return b }
	second := []time.Duration{time.Second}

	for want, p := range map[string]plan{
		`queue "": Queue: the name is empty`:                                       {},
		`queue "amq.q": Queue: names that start with "amq." are the broker's`:      {Queue: "amq.q"},
		`Queue: the name has 256 bytes, the longest allowed has 255`:               {Queue: strings.Repeat("q", 256)},
		`q-error": the name has 256 bytes`:                                         {Queue: strings.Repeat("q", 250)},
		`Queue: a name made from it is`:                                            {Queue: strings.Repeat("q", 245), Delays: second},
		`Queue: the name is not valid UTF-8`:                                       {Queue: "\xff"},
		`Queue: the name has a line break`:                                         {Queue: "a\nb"},
		`Type: "stream" is neither "quorum" nor "classic"`:                         {Queue: "q", Type: "stream"},
		`Mode: topology.Mode(3) is none of`:                                        {Queue: "q", Mode: 3},
		`Scheme: topology.Scheme(-1) is neither`:                                   {Queue: "q", Scheme: -1},
		`GroupSize: -1 is below zero`:                                              {Queue: "q", GroupSize: -1},
		`GroupSize: 3 replicas, but only quorum queues`:                            {Queue: "q", GroupSize: 3, Type: topology.Classic},
		`Delays[1]: 0s is not above zero`:                                          {Queue: "q", Delays: []time.Duration{1e9, 0}},
		`Emits[1]: the name is empty`:                                              {Queue: "q", Emits: []string{"a", ""}},
		`Delays[0]: -1s is not above zero`:                                         {Queue: "q", Delays: []time.Duration{-1e9}},
		`Delays[0]: 1.5µs is not a whole number of milliseconds`:                   {Queue: "q", Delays: []time.Duration{1500}},
		`Delays[0]: 87600h0m0.001s is above 87600h0m0s`:                            {Queue: "q", Delays: []time.Duration{topology.MaxDelay + 1e6}},
		`ErrorQueue: "q" is the main queue`:                                        {Queue: "q", ErrorQueue: "q"},
		`ErrorQueue: "q-retry-1s" is a retry queue`:                                {Queue: "q", Delays: second, ErrorQueue: "q-retry-1s"},
		`ErrorQueue "amq.e": names that start`:                                     {Queue: "q", ErrorQueue: "amq.e"},
		`Bindings[0]: exchange "amq.topic": it is the broker's`:                    {Queue: "q", Bindings: binds(topology.Bind{Exchange: "amq.topic", Kind: "topic"})},
		`Bindings[0]: exchange "e": Arguments: x-match is some, the broker wants`:  {Queue: "q", Bindings: binds(topology.Bind{Exchange: "e", Kind: "headers", Arguments: map[string]any{"x-match": "some"}})},
		`Bindings[0]: exchange "e": Kind: "tpoic" is none of`:                      {Queue: "q", Bindings: binds(topology.Bind{Exchange: "e", Kind: "tpoic"})},
		`Bindings[1]: exchange "e": Kind is "topic" here and "direct" before`:      {Queue: "q", Bindings: binds(topology.Bind{Exchange: "e", Kind: "direct"}, topology.Bind{Exchange: "e", Kind: "topic"})},
		`Bindings[0]: exchange "": it is the default exchange`:                     {Queue: "q", Bindings: binds(topology.Bind{Keys: []string{"k"}})},
		`Bindings[0]: exchange "e": Keys: "kkkkkkkkkkkkkkkkkkkk"... has 300 bytes`: {Queue: "q", Bindings: binds(topology.Bind{Exchange: "e", Keys: []string{strings.Repeat("k", 300)}})},
		`Bindings[0]: exchange "e": n: AMQP has no type for chan int`:              {Queue: "q", Bindings: binds(topology.Bind{Exchange: "e", Arguments: arguments{"n": make(chan int)}})},
		`Bindings[0]: exchange "e\n": the name has a line break`:                   {Queue: "q", Bindings: binds(topology.Bind{Exchange: "e\n"})},

		`Arguments: x-expires: 1000 is refused: it deletes the queue`:                                   {Queue: "q", Arguments: arguments{"x-expires": 1000}},
		`Arguments: x-overflow: drop-head is refused`:                                                   {Queue: "q", Arguments: arguments{"x-overflow": "drop-head"}},
		`Arguments: x-queue-type: stream is refused: set Type`:                                          {Queue: "q", Arguments: arguments{"x-queue-type": "stream"}},
		`Arguments: x-single-active-consumer: true is refused: set`:                                     {Queue: "q", Arguments: arguments{"x-single-active-consumer": true}},
		`Arguments: x-quorum-initial-group-size: 3 is refused: set`:                                     {Queue: "q", Arguments: arguments{"x-quorum-initial-group-size": 3}},
		`Arguments: x-dead-letter-exchange: dlx is refused`:                                             {Queue: "q", Arguments: arguments{"x-dead-letter-exchange": "dlx"}},
		`Arguments: x-dead-letter-routing-key: k is refused`:                                            {Queue: "q", Arguments: arguments{"x-dead-letter-routing-key": "k"}},
		`Arguments: x-dead-letter-strategy: at-most-once is refused`:                                    {Queue: "q", Arguments: arguments{"x-dead-letter-strategy": "at-most-once"}},
		`Arguments: x-delivery-limit: -1 is refused`:                                                    {Queue: "q", Arguments: arguments{"x-delivery-limit": -1}},
		`Arguments: x-delivery-limit: 0 is refused`:                                                     {Queue: "q", Arguments: arguments{"x-delivery-limit": 0}},
		`Arguments: x-delivery-limit: ten is refused`:                                                   {Queue: "q", Arguments: arguments{"x-delivery-limit": "ten"}},
		`Arguments: x-delivery-limit: 5 has no effect`:                                                  {Queue: "q", Type: topology.Classic, Arguments: arguments{"x-delivery-limit": 5}},
		`Arguments: x-max-priority: 10 is impossible: no queue of type "quorum" has it: leave it out`:   {Queue: "q", Arguments: arguments{"x-max-priority": 10}},
		`Arguments: x-max-priority: 256 is impossible: the broker wants a number from 0 to 255`:         {Queue: "q", Type: topology.Classic, Arguments: arguments{"x-max-priority": 256}},
		`Arguments: x-queue-mode: lazy is impossible: no queue of type "quorum" has it`:                 {Queue: "q", Arguments: arguments{"x-queue-mode": "lazy"}},
		`Arguments: x-queue-version: 2 is impossible: no queue of type "quorum"`:                        {Queue: "q", Arguments: arguments{"x-queue-version": 2}},
		`Arguments: x-queue-version: 3 is impossible: the broker wants 1 or 2`:                          {Queue: "q", Type: topology.Classic, Arguments: arguments{"x-queue-version": 3}},
		`Arguments: x-queue-master-locator: client-local is impossible`:                                 {Queue: "q", Arguments: arguments{"x-queue-master-locator": "client-local"}},
		`Arguments: x-max-in-memory-length: 5 is impossible: no queue of type "classic"`:                {Queue: "q", Type: topology.Classic, Arguments: arguments{"x-max-in-memory-length": 5}},
		`Arguments: x-message-ttl: -1 is impossible: the broker wants milliseconds from 0 to 31536`:     {Queue: "q", Arguments: arguments{"x-message-ttl": -1}},
		`Arguments: x-message-ttl: 315360000001 is impossible`:                                          {Queue: "q", Arguments: arguments{"x-message-ttl": 315_360_000_001}},
		`Arguments: x-message-ttl: 1m is impossible`:                                                    {Queue: "q", Arguments: arguments{"x-message-ttl": "1m"}},
		`Arguments: x-max-length: -5 is impossible: the broker wants a number from 0 on`:                {Queue: "q", Arguments: arguments{"x-max-length": -5}},
		`Arguments: x-max-length-bytes: 1.5 is impossible`:                                              {Queue: "q", Arguments: arguments{"x-max-length-bytes": 1.5}},
		`Arguments: x-consumer-timeout: -1 is impossible`:                                               {Queue: "q", Arguments: arguments{"x-consumer-timeout": -1}},
		`Arguments: x-queue-leader-locator: here is impossible: the broker wants client-local, balan`:   {Queue: "q", Arguments: arguments{"x-queue-leader-locator": "here"}},
		`Arguments: x-max-age: 1h is impossible: no queue of type "quorum" has it: only streams have i`: {Queue: "q", Arguments: arguments{"x-max-age": "1h"}},
		`Arguments: x-big: 18446744073709551615 is above the largest`:                                   {Queue: "q", Arguments: arguments{"x-big": uint64(math.MaxUint64)}},
		`Arguments: x-list: AMQP has no type for struct {}`:                                             {Queue: "q", Arguments: arguments{"x-list": []any{struct{}{}}}},
		`Arguments: a name of 0 bytes`:                                                                  {Queue: "q", Arguments: arguments{"": 1}},
		`Type: the scheme Bunnicula has no queues of type "quorum"`:                                     {Queue: "q", Scheme: topology.Bunnicula, Type: topology.Quorum},
		`Delays: the scheme Bunnicula has one delay, since`:                                             {Queue: "q", Scheme: topology.Bunnicula, Delays: []time.Duration{1e9, 2e9}},
		`ErrorQueue: the scheme Bunnicula calls it "q-error", not "e"`:                                  {Queue: "q", Scheme: topology.Bunnicula, ErrorQueue: "e"},
		`SingleActive: the scheme Bunnicula has no single`:                                              {Queue: "q", Scheme: topology.Bunnicula, SingleActive: true},
		`Arguments: the main queue of the scheme Bunnicula has none`:                                    {Queue: "q", Scheme: topology.Bunnicula, Arguments: arguments{"x-max-length": 1}},
		`Bindings: the scheme Bunnicula has one, not 2`:                                                 {Queue: "q", Scheme: topology.Bunnicula, Bindings: binds(topology.Bind{Exchange: "a"}, topology.Bind{Exchange: "b"})},
		`Bindings: exchange "a": Kind: the scheme Bunnicula declares`:                                   {Queue: "q", Scheme: topology.Bunnicula, Bindings: binds(topology.Bind{Exchange: "a", Kind: "topic"})},
		`Bindings: exchange "a": the scheme Bunnicula binds with`:                                       {Queue: "q", Scheme: topology.Bunnicula, Bindings: binds(topology.Bind{Exchange: "a", Keys: []string{"k"}})},
		`Bindings: exchange "q-retry": the scheme Bunnicula keeps that name to`:                         {Queue: "q", Scheme: topology.Bunnicula, Bindings: binds(topology.Bind{Exchange: "q-retry"})},
	} {
		_, err := topology.New(p)
		if err == nil {
			t.Errorf("taken, want %q", want)
		} else if !strings.HasPrefix(err.Error(), "topology: queue ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant ...%s...", err, want)
		}
	}
}

func TestAPlanIsTakenAtItsLimits(t *testing.T) {
	for name, p := range map[string]topology.Plan{
		"longest names":              {Queue: strings.Repeat("q", 244)},
		"longest name with a retry":  {Queue: strings.Repeat("q", 241), Delays: []time.Duration{topology.MaxDelay}},
		"delays":                     {Queue: "q", Delays: []time.Duration{time.Millisecond, topology.MaxDelay}},
		"smallest delivery limit":    {Queue: "q", Arguments: map[string]any{"x-delivery-limit": 1}},
		"largest TTL":                {Queue: "q", Arguments: map[string]any{"x-message-ttl": topology.MaxDelay.Milliseconds()}},
		"priorities":                 {Queue: "q", Type: topology.Classic, Arguments: map[string]any{"x-max-priority": 255, "x-queue-mode": "lazy"}},
		"an argument of a plugin":    {Queue: "q", Arguments: map[string]any{"x-message-deduplication": true}},
		"arguments that are unused":  {Queue: "q", Mode: topology.Satellites, Arguments: map[string]any{"x-max-priority": 10}},
		"an exchange of the broker":  {Queue: "q", Bindings: []topology.Bind{{Exchange: "amq.topic", Keys: []string{"#"}}}},
		"an exchange of a plugin":    {Queue: "q", Bindings: []topology.Bind{{Exchange: "e", Kind: "x-consistent-hash", Keys: []string{"1"}}}},
		"the default exchange":       {Queue: "q", Bindings: []topology.Bind{{}}},
		"the same again by its name": {Queue: "q", Bindings: []topology.Bind{{Keys: []string{"q"}}}},
		"one exchange in two lines":  {Queue: "q", Bindings: []topology.Bind{{Exchange: "e", Kind: "topic"}, {Exchange: "e", Keys: []string{"k"}}}},
	} {
		if _, err := topology.New(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
