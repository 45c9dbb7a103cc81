package mutants

// scenario is one of the fault suite, on a real broker.
func scenario(name string) by {
	return by{"internal/test/faults", "^TestFaults$/^" + name + "$", []string{"-faults"}}
}

var (
	engine    = by{"consumer", "^TestWhateverHappensNoMessageIsLost$", []string{"-rapid.checks=3000", "-rapid.shrinktime=1s"}}
	publisher = by{"publisher", "^TestWhateverHappensWhatAPublishReturnsIsTrue$", []string{"-rapid.checks=3000", "-rapid.shrinktime=1s"}}
)

var mutants = []mutant{
	{
		name: "ack-first", breaks: "an ack is sent before the copy is confirmed",
		edits: []edit{{"consumer/settle.go",
			`if !c.place(d.session, s.Copy) || !d.session.ack(d, time.Now()) {`,
			`if !d.session.ack(d, time.Now()) || !c.place(d.session, s.Copy) {`,
		}},
		caught: []by{engine, {"consumer", "^TestThePrefetchBoundsWhatIsHeldAlsoOverPauses$", nil}},
	},
	{
		name: "ack-of-an-older-session", breaks: "an ack goes to the channel that is there now, whatever its delivery came on",
		edits: []edit{
			{"consumer/consumer.go", "\tlosses    atomic.Int64 // see guard.go\n", "\tlosses    atomic.Int64 // see guard.go\n\tnewest atomic.Pointer[session]\n"},
			{"consumer/receive.go", "\tc.slow.Store(false)\n\tc.calm.Store(false)\n\tc.setErr(nil)\n", "\tc.slow.Store(false)\n\tc.calm.Store(false)\n\tc.setErr(nil)\n\tc.newest.Store(s)\n"},
			{"consumer/acker.go",
				"\tcase s.ctx.Err() != nil:\n\tcase d.alone:",
				"\tcase s.consumer.newest.Load() != nil:\n\t\terr = s.consumer.newest.Load().acker.ack(d.raw.DeliveryTag, now)\n\tcase d.alone:"},
		},
		caught: []by{engine, {"consumer", "^TestConsumingGoesOnWithinSecondsAfterACutWhileAnOldHandlerStillRuns$", nil}},
	},
	{
		name: "copy-not-mandatory", breaks: "a copy that no queue takes counts as placed",
		edits: []edit{{"consumer/copy.go",
			`RoutingKey: s.to.RoutingKey, Publishing: p}`,
			`RoutingKey: s.to.RoutingKey, Publishing: p, NotMandatory: true}`,
		}},
		caught: []by{engine, scenario("retry-queues-deleted")},
	},
	{
		name: "blocked-copy-nacked", breaks: "a message whose copy cannot be placed is given back",
		edits: []edit{
			{"consumer/settle.go",
				"if !c.place(d.session, s.Copy) || !d.session.ack(d, time.Now()) {",
				"if !c.place(d.session, s.Copy) {\n\t\t\td.session.giveBack(d)\n\t\t\treturn\n\t\t}\n\t\tif !d.session.ack(d, time.Now()) {"},
			{"consumer/settle.go",
				"if !backoff.Wait(s.ctx, pause.Next()) {",
				"if backoff.Wait(s.ctx, pause.Next()); true {"},
		},
		caught: []by{engine, scenario("error-queue-full")},
	},
	{
		name: "any-return", breaks: "the first return is taken for one's own",
		edits: []edit{{"internal/sending/confirm.go",
			`if r.MessageId == m.env.MessageId && r.Exchange == m.env.Exchange && r.RoutingKey == m.env.RoutingKey && bytes.Equal(r.Body, m.env.Body) &&
			wire.Int(r.Headers[wire.RetryAttempts]) == wire.Int(m.env.Headers[wire.RetryAttempts]) {`,
			`if r != nil || bytes.Equal(r.Body, m.env.Body) && wire.Int(r.Headers[wire.RetryAttempts]) == 0 {`,
		}},
		caught: []by{publisher, {"publisher", "^(TestABatchReportsJustTheOneThatIsUnroutable|TestOfTwoMessagesWithOneIDTheReturnedOneFails)$", nil}},
	},
	{
		name: "tag-reused", breaks: "a subscription has the tag of an earlier one",
		edits:  []edit{{"consumer/subscribe.go", "s.tags++\n", "s.tags = 1\n"}},
		caught: []by{engine},
	},
	{
		name: "prefetch-of-a-live-consumer", breaks: "the prefetch is changed by basic.qos alone, which does nothing to a subscription",
		edits: []edit{{"consumer/subscribe.go",
			"\tif s.mode != off {\n\t\tbefore := s.mode\n",
			"\tif s.mode != off {\n\t\tprefetch := s.consumer.pace.prefetch(want)\n\t\ts.mode = want\n" +
				"\t\treturn s.link.Do(s.consumer.hard, \"qos\", func() error { return s.ch.Qos(prefetch, 0, false) })\n\t}\n" +
				"\tif s.mode != off {\n\t\tbefore := s.mode\n"}},
		caught: []by{{"consumer", "^TestAMessageThatTheClientCannotReadIsParkedWhileOtherConsumersWorkOn$", nil}},
	},
	{
		name: "backlog-forgotten", breaks: "what was taken ahead and is not come to stays unacked for ever",
		edits: []edit{{"consumer/subscribe.go",
			"\ts.giveBack(s.backlog...)\n\ts.backlog, s.backlogUntil = nil, time.Time{}\n",
			"\ts.backlog, s.backlogUntil = nil, time.Time{}\n"}},
		caught: []by{engine, {"consumer", "^TestWhatFastHandlersTookAheadGoesToOthersWhenTheyBecomeSlow$", nil}},
	},
	{
		name: "redrive-acks-what-failed", breaks: "a parked message that could not be published is acked",
		edits: []edit{{"errorqueue/move.go",
			"\t\t\tif err == nil {\n\t\t\t\tplaced = append(placed, all[i])\n\t\t\t\tcontinue\n",
			"\t\t\tplaced = append(placed, all[i])\n\t\t\tif err == nil {\n\t\t\t\tcontinue\n"}},
		caught: []by{{"errorqueue", "^TestWhatCannotBePublishedStaysParked$", nil}},
	},
	{
		name: "redrive-acks-first", breaks: "a parked message is acked before its copy is confirmed",
		edits: []edit{
			{"errorqueue/move.go",
				"\tplaced := all\n\tvar last error\n",
				"\tplaced := all\n\tif err := p.settle(finish, all); err != nil {\n\t\treturn err\n\t}\n\tvar last error\n"},
			{"errorqueue/move.go",
				"\terr := p.settle(finish, placed)\n",
				"\terr := p.session.Err()\n"},
		},
		caught: []by{{"errorqueue", "^TestWhatCannotBePublishedStaysParked$", nil}},
	},
	{
		name: "redrive-keeps-attempts", breaks: "a redriven message does not begin anew",
		edits: []edit{{"errorqueue/afresh.go",
			"\tours[wire.Queue] = to //",
			"\tours[wire.RetryAttempts] = d.Headers[wire.RetryAttempts]\n\tours[wire.Queue] = to //"}},
		caught: []by{{"errorqueue", "^TestARedrivenMessageIsAsItWasAtFirst$", nil}},
	},
}
