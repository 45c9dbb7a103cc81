package mutants

// scenario is one of the fault suite, on a real broker.
func scenario(name string) by {
	return by{pkg: "internal/test/faults", test: "^TestFaults$/^" + name + "$", args: []string{"-faults"}}
}

var (
	engine    = model("consumer", "^TestWhateverHappensNoMessageIsLost$")
	publisher = model("publisher", "^TestWhateverHappensWhatAPublishReturnsIsTrue$")
)

// model is a test of random histories on a simulated broker. It ends with the first that fails, and the worst mutant
// needs some 300; so many cost time only if a mutant survives.
func model(pkg, test string) by {
	return by{pkg: pkg, test: test, args: []string{"-rapid.checks=3000", "-rapid.shrinktime=1ms"}}
}

var mutants = []mutant{
	{
		name: "ack-first", breaks: "an ack is sent before the copy is confirmed",
		edits: []edit{{
			"consumer.Consumer.settleByCopy",
			`!c.place(d.session, s.Copy) || !d.session.ack(d, time.Now())`,
			`!d.session.ack(d, time.Now()) || !c.place(d.session, s.Copy)`,
		}},
		caught: []by{engine, {pkg: "consumer", test: "^TestThePrefetchBoundsWhatIsHeldAlsoOverPauses$"}},
	},
	{
		name: "ack-of-an-older-session", breaks: "an ack goes to the channel that is there now, whatever its delivery came on",
		edits: []edit{
			{"consumer.Consumer", "", "$old\nnewest atomic.Pointer[session]\n"},
			{"consumer.Consumer.newSession", `c.calm.Store(false)`, "c.newest.Store(s)\n$old"},
			{"consumer.session.ack", `err := errSessionOver`, `
				if newest := s.consumer.newest.Load(); newest != s {
					s.settled(d)
					return newest.ch.Ack(d.raw.DeliveryTag, false) == nil
				}
				$old`},
		},
		caught: []by{engine, {pkg: "consumer", test: "^TestConsumingGoesOnWithinSecondsAfterACutWhileAnOldHandlerStillRuns$"}},
	},
	{
		name: "copy-not-mandatory", breaks: "a copy that no queue takes counts as placed",
		edits: []edit{{
			"consumer.Consumer.bareCopy",
			`sending.Envelope{Exchange: s.to.Exchange, RoutingKey: s.to.RoutingKey, Publishing: p}`,
			`sending.Envelope{Exchange: s.to.Exchange, RoutingKey: s.to.RoutingKey, Publishing: p, NotMandatory: true}`,
		}},
		caught: []by{engine, scenario("retry-queues-deleted")},
	},
	{
		name: "blocked-copy-nacked", breaks: "a message whose copy cannot be placed is given back",
		edits: []edit{
			{
				"consumer.Consumer.settleByCopy",
				`if !c.place(d.session, s.Copy) || !d.session.ack(d, time.Now()) { return }`,
				`if !c.place(d.session, s.Copy) {
					d.session.giveBack(d)
					return
				}
				if !d.session.ack(d, time.Now()) {
					return
				}`,
			},
			{"consumer.Consumer.place", `!backoff.Wait(s.ctx, pause.Next())`, `backoff.Wait(s.ctx, pause.Next()) || true`},
		},
		caught: []by{engine, scenario("error-queue-full")},
	},
	{
		name: "any-return", breaks: "the first return is taken for one's own",
		edits: []edit{{
			"internal/sending.confirmed.returnOf",
			`r.MessageId == m.env.MessageId && r.Exchange == m.env.Exchange && r.RoutingKey == m.env.RoutingKey && bytes.Equal(r.Body, m.env.Body) &&
				wire.Int(r.Headers[wire.RetryAttempts]) == wire.Int(m.env.Headers[wire.RetryAttempts])`,
			`r != nil || bytes.Equal(r.Body, m.env.Body) && wire.Int(r.Headers[wire.RetryAttempts]) == 0`,
		}},
		caught: []by{publisher, {pkg: "publisher", test: "^(TestABatchReportsJustTheOneThatIsUnroutable|TestOfTwoMessagesWithOneIDTheReturnedOneFails)$"}},
	},
	{
		name: "tag-reused", breaks: "a subscription has the tag of an earlier one",
		edits:  []edit{{"consumer.session.subscribe", `s.tags++`, `s.tags = 1`}},
		caught: []by{engine},
	},
	{
		name: "prefetch-of-a-live-consumer", breaks: "the prefetch is changed by basic.qos alone, which does nothing to a subscription",
		edits: []edit{{"consumer.session.adjust", `before := s.mode`, `
			prefetch := s.consumer.pace.prefetch(want)
			s.mode = want
			return s.link.Do(s.consumer.hard, "qos", func() error { return s.ch.Qos(prefetch, 0, false) })
			$old`}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageThatTheClientCannotReadIsParkedWhileOtherConsumersWorkOn$"}},
	},
	{
		name: "backlog-forgotten", breaks: "what was taken ahead and is not come to stays unacked for ever",
		edits:  []edit{{"consumer.session.shed", `s.giveBack(s.backlog...)`, ``}},
		caught: []by{engine, {pkg: "consumer", test: "^TestWhatFastHandlersTookAheadGoesToOthersWhenTheyBecomeSlow$"}},
	},
	{
		name: "redrive-acks-what-failed", breaks: "a parked message that could not be published is acked",
		edits: []edit{{
			"errorqueue.mover.publish",
			`if err == nil {
				placed = append(placed, all[i])
				continue
			}`,
			`placed = append(placed, all[i])
			if err == nil {
				continue
			}`,
		}},
		caught: []by{{pkg: "errorqueue", test: "^TestWhatCannotBePublishedStaysParked$"}},
	},
	{
		name: "redrive-acks-first", breaks: "a parked message is acked before its copy is confirmed",
		edits: []edit{
			{"errorqueue.mover.move", `placed, last := m.publish(finish, all)`, `acked, err := r.ack(finish, all)
				$old`},
			{"errorqueue.mover.move", `acked, err := r.ack(finish, placed)`, ``},
		},
		caught: []by{{pkg: "errorqueue", test: "^TestWhatCannotBePublishedStaysParked$"}},
	},
	{
		name: "redrive-keeps-attempts", breaks: "a redriven message does not begin anew",
		edits:  []edit{{"errorqueue.afresh", `ours[wire.Queue] = to`, "$old\nours[wire.RetryAttempts] = d.Headers[wire.RetryAttempts]"}},
		caught: []by{{pkg: "errorqueue", test: "^TestARedrivenMessageIsAsItWasAtFirst$"}},
	},
}
