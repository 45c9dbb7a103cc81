package mutants

// scenario is one of the fault suite, on a real broker.
func scenario(name string) by {
	return by{pkg: "internal/test/faults", test: "^TestFaults$/^" + name + "$", args: []string{"-faults"}}
}

var (
	engine    = model("consumer", "^TestWhateverHappensNoMessageIsLost$")
	publisher = model("publisher", "^TestWhateverHappensWhatAPublishReturnsIsTrue$")
)

// model is a test of random histories on a simulated broker. It ends with the first that fails, and
// the worst mutant needs some 300; so many cost time only if a mutant survives.
func model(pkg, test string) by {
	return by{pkg: pkg, test: test, args: []string{"-rapid.checks=3000", "-rapid.shrinktime=1ms"}}
}

var mutants = []mutant{
	{
		name: "ack-first", breaks: "an ack is sent before the copy is confirmed",
		edits: []edit{
			{"consumer.settler.byCopy", `instead, placed := s.place(d, what)`, "early := s.ack(d, time.Now())\n$old"},
			{"consumer.settler.byCopy", `!placed || !s.ack(d, time.Now())`, `!placed || !early`},
		},
		caught: []by{engine, {pkg: "consumer", test: "^TestThePrefetchBoundsWhatIsHeldAlsoOverPauses$"}},
	},
	{
		name: "ack-of-an-older-session", breaks: "an ack goes to the channel that is there now, whatever its delivery came on",
		edits: []edit{
			{"consumer.gauges", "", "$old\nnewest atomic.Pointer[channel]\n"},
			{"consumer.Consumer.openSession", `s.main, s.intake, in.from = main, in, main`, "c.gauges.newest.Store(main)\n$old"},
			{"consumer.settler.ack", `err := acksOver(d)`, `
				if newest := s.gauges.newest.Load(); newest != nil && newest != d.from && d.solo == nil {
					return newest.Ack(d.tag(), false) == nil
				}
				$old`},
		},
		caught: []by{engine, {pkg: "consumer", test: "^TestConsumingGoesOnWithinSecondsAfterACutWhileAnOldHandlerStillRuns$"}},
	},
	{
		name: "copy-not-mandatory", breaks: "a copy that no queue takes counts as placed",
		edits: []edit{{
			"consumer.envelope",
			`sending.Envelope{Exchange: c.To.Exchange, RoutingKey: c.To.RoutingKey, Publishing: c.Publishing}`,
			`sending.Envelope{Exchange: c.To.Exchange, RoutingKey: c.To.RoutingKey, Publishing: c.Publishing, NotMandatory: true}`,
		}},
		caught: []by{engine, scenario("retry-queues-deleted")},
	},
	{
		name: "blocked-copy-nacked", breaks: "a message whose copy cannot be placed is given back",
		edits: []edit{
			{
				"consumer.settler.byCopy",
				`if !placed || !s.ack(d, time.Now()) { return }`,
				`if !placed {
					s.nack(d)
					return
				}
				if !s.ack(d, time.Now()) {
					return
				}`,
			},
			{"consumer.settler.place", `!backoff.Wait(d.from.ctx, wait)`, `backoff.Wait(d.from.ctx, wait) || true`},
		},
		caught: []by{engine, scenario("error-queue-full")},
	},
	{
		name: "copy-not-repaired", breaks: "a copy whose exchange is gone does not bring it back",
		edits:  []edit{{"consumer.troubleOf", `amqp.NotFound`, `amqp.NotImplemented`}},
		caught: []by{{pkg: "consumer", test: "^TestACopyBringsBackTheQueueOrExchangeThatIsGone$/^bunnicula_error$"}},
	},
	{
		name: "id-of-copies-only", breaks: "the copy of a message without an id has another id than its first attempt",
		edits:  []edit{{"consumer/internal/decide.Rules.whole", `c.MessageId = f.Delivery.MessageID`, `c.MessageId = f.Raw.MessageId`}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageWithoutAnIDHasOneFromItsFirstAttemptUntilItIsParked$"}, {pkg: "consumer", test: "^TestAMessageWithoutAnIDIsFoundInTheErrorQueueByTheIDOfItsFirstAttempt$"}},
	},
	{
		name: "given-id-unmarked", breaks: "nobody can tell a given id from its publisher's",
		edits:  []edit{{"consumer/internal/decide.Rules.headers", `f.Delivery.MessageIDGiven`, `f.Unread`}},
		caught: []by{{pkg: "consumer", test: "^TestOnlyAMarkOfOursSaysThatAnIDWasGiven$"}, {pkg: "consumer", test: "^TestAMessageWithoutAnIDIsFoundInTheErrorQueueByTheIDOfItsFirstAttempt$"}},
	},
	{
		name: "one-id-for-all", breaks: "two equal messages without ids get the same id",
		edits:  []edit{{"consumer.Consumer.decode", `id = sending.NewID()`, "_ = sending.NewID\nid = c.supervisor.id"}},
		caught: []by{{pkg: "consumer", test: "^TestTwoEqualMessagesWithoutIDsAreNotTakenForOne$"}},
	},
	{
		name: "one-return-key-for-all", breaks: "a message without an id in quarantine is taken for another that has survived",
		edits:  []edit{{"consumer.returnKey", `strconv.FormatUint(maphash.Bytes(bodySeed, raw.Body), 36)`, `strconv.Itoa(int(maphash.Bytes(bodySeed, nil)))`}},
		caught: []by{{pkg: "consumer", test: "^TestTwoEqualMessagesWithoutIDsAreNotTakenForOne$"}},
	},
	{
		name: "redriven-id-unmarked", breaks: "a redrive gives an id that is taken for its publisher's",
		edits:  []edit{{"errorqueue.afresh", `ours[wire.MessageIDGiven] = true`, `ours[wire.MessageIDGiven] = false`}},
		caught: []by{{pkg: "errorqueue", test: "^TestWhatIsRedrivenIsSafeToPublishAndKeepsWhatIsTheUsers$"}},
	},
	{
		name: "unknown-fields-taken", breaks: "StrictJSON leaves out what the payload has no field for",
		edits:  []edit{{"publisher.decodeStrictly", `d.DisallowUnknownFields()`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestStrictJSONRefusesWhatJSONLeavesOut$"}},
	},
	{
		name: "payload-not-validated", breaks: "a payload that its Validate refuses is handled",
		edits:  []edit{{"consumer.Decode", `err = validate(&msg.Payload)`, `err = nil`}},
		caught: []by{{pkg: "consumer", test: "^TestAPayloadThatItsValidateRefusesIsParkedAsUndecodableWithThatText$"}},
	},
	{
		name: "outliving-unnamed", breaks: "a stop that is out of time does not say which handlers still run",
		edits:  []edit{{"consumer.Consumer.stop", `c.announcer.outlives()`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestHandlersThatOutliveTheStopAreNamedWithWhatTheyHaveRun$"}},
	},
	{
		name: "interrupted-before-it-began", breaks: "the log says that a consumer was interrupted which has not begun",
		edits:  []edit{{"consumer.supervisor.waitAfter", `v.c.announcer.trouble(!v.began.IsZero(), err)`, `v.c.announcer.trouble(true, err)`}},
		caught: []by{{pkg: "consumer", test: "^TestWhatALogSaysWhileThereIsNoBroker$"}},
	},
	{
		name: "a-stop-that-waited-is-silent", breaks: "nothing says that the handlers ended for which a stop waited",
		edits:  []edit{{"consumer.Consumer.stop", `c.announcer.stopped(awaited, time.Since(began))`, `_, _ = began, awaited`}},
		caught: []by{{pkg: "consumer", test: "^TestAStopThatWaitsForHandlersSaysWhenItEnded$"}},
	},
	{
		name: "hurried-in-silence", breaks: "nothing says that a stop has less time than handlers may take",
		edits:  []edit{{"consumer.Spec.patient", `have >= s.Timeout`, `have >= 0`}},
		caught: []by{{pkg: "consumer", test: "^TestAStopThatGivesHandlersLessThanTheirTimeoutIsWarnedAboutOnce$"}, {pkg: "consumer", test: "^TestAGroupOfManyConsumersLogsOneLineForAll$"}},
	},
	{
		name: "stretched-in-silence", breaks: "nothing says that a delay became ten times as long",
		edits:  []edit{{"consumer.settleEnding", `c.announcer.stretched(s, now)`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestADelayThatTheQueuesStretchIsWarnedAboutOnceAnHour$"}},
	},
	{
		name: "property-dropped", breaks: "a copy loses a property",
		edits:  []edit{{"internal/wire.Again", `d.ReplyTo`, `""`}},
		caught: []by{{pkg: "consumer", test: "^TestACopyKeepsBodyPropertiesAndHeaders$"}, {pkg: "consumer", test: "^TestARetriedMessageKeepsItsPropertiesAndShowsWhereItCameFrom$"}},
	},
	{
		name: "header-dropped", breaks: "a copy loses a user's header if it is no text",
		edits:  []edit{{"internal/wire.Again", `IsUsers(k)`, `_, text := v.(string); text && IsUsers(k)`}},
		caught: []by{{pkg: "consumer", test: "^TestACopyKeepsBodyPropertiesAndHeaders$"}},
	},
	{
		name: "one-attempt-too-many", breaks: "a message is tried once more than MaxRetries allows",
		edits:  []edit{{"consumer/internal/decide.Rules.retry", `f.Delivery.LastAttempt()`, `f.Delivery.Attempt > f.Delivery.MaxRetries+1`}},
		caught: []by{engine, {pkg: "consumer", test: "^TestAPanicOnTheLastAttemptIsParkedAsAPanic$"}},
	},
	{
		name: "interrupted-acked", breaks: "a message whose handler a stop has cancelled is acked",
		edits: []edit{{
			"consumer/internal/decide.After",
			`if r.KeepsPlace { return Settlement{Deed: DeedLeave, Outcome: outcome} }`,
			`if !r.KeepsPlace { return Settlement{Deed: DeedAck, Outcome: outcome} }`,
		}},
		caught: []by{engine, {pkg: "consumer", test: "^TestWhatAStopInterruptsIsNoAttemptUnlessItIsAcked$"}},
	},
	{
		name: "tag-reused", breaks: "a subscription has the tag of an earlier one",
		edits:  []edit{{"consumer.intake.subscribe", `in.tags++`, `in.tags = 1`}},
		caught: []by{engine},
	},
	{
		name: "prefetch-of-a-live-consumer", breaks: "the prefetch is changed by basic.qos alone, which does nothing to a subscription",
		edits: []edit{{"consumer.intake.bring", `if err := in.change(want); err != nil { return err }`, `
			in.standing = want
			return in.from.session.Do(context.Background(), "qos", func() error { return in.from.Qos(want, 0, false) })`}},
		caught: []by{engine},
	},
	{
		name: "backlog-forgotten", breaks: "what was taken ahead and is not come to stays unacked for ever",
		edits:  []edit{{"consumer.intake.shed", `in.giveBack(in.backlog.drain())`, `in.backlog.drain()`}},
		caught: []by{engine, {pkg: "consumer", test: "^TestWhatFastHandlersTookAheadGoesToOthersWhenTheyBecomeSlow$"}},
	},
	{
		name: "pause-keeps", breaks: "a pause does not give back what no handler has started",
		edits:  []edit{{"consumer.intake.rest", `in.giveBack(all)`, `_ = all`}},
		caught: []by{engine, {pkg: "consumer", test: "^TestPauseGivesBackWhatWasPrefetchedAndResumeGoesOn$"}},
	},
	{
		name: "given-back-acked", breaks: "what a pause or a stop gives back is acked, and no copy is made",
		edits:  []edit{{"consumer.settler.giveBack", `s.sending.Send(ctx, envelope(what.Copy)) == nil`, `what.Copy != nil || $old`}},
		caught: []by{engine, {pkg: "consumer", test: "^TestPausesAndRestartsMakeNoInnocentMessageLookLikeAKiller$"}},
	},
	{
		name: "given-back-counted", breaks: "what is given back looks like a message that killed its process",
		edits:  []edit{{"consumer.settler.giveBack", `d.facts.Returned == 0`, `d.facts.Returned >= 0`}},
		caught: []by{{pkg: "consumer", test: "^TestPausesAndRestartsMakeNoInnocentMessageLookLikeAKiller$"}},
	},
	{
		name: "multiple-over-a-gap", breaks: "an ack of many covers a message whose handler still runs",
		edits:  []edit{{"consumer/internal/acks.ring.collect", `Ack{oldest.tag, false}`, `Ack{oldest.tag, true}`}},
		caught: []by{engine, {pkg: "consumer/internal/acks", test: "^TestEveryFinishedDeliveryIsAckedInTimeAndNoOther$", args: []string{"-rapid.nofailfile"}}},
	},
	{
		name: "nobody-set-aside", breaks: "a message that came back twice is handled beside others",
		edits:  []edit{{"consumer/internal/decide.Before", `!f.Alone && f.Returns >= Suspicious && r.guarded()`, `!f.Alone && f.Returns >= 1000 && r.guarded()`}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageThatCameBackTwiceIsSetAside$"}, {pkg: "consumer", test: "^TestALookThatIsRefusedIsNoLossThatAMessageWasSurvivedIn$"}},
	},
	{
		name: "crashed-too-soon", breaks: "a message is parked as crashed one death too soon",
		edits:  []edit{{"consumer/internal/decide.Before", `Suspicious+f.Returns >= r.MaxCrashes`, `Suspicious+f.Returns+1 >= r.MaxCrashes`}},
		caught: []by{engine, {pkg: "consumer", test: "^TestAMessageInQuarantineIsParkedAsCrashedBeforeItsHandlerRuns$"}},
	},
	{
		name: "crashed-never", breaks: "a message that kills each process is handled for ever",
		edits:  []edit{{"consumer/internal/decide.Before", `f.Alone && Suspicious+f.Returns >= r.MaxCrashes`, `f.Alone && f.Returns < 0`}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageThatKillsItsProcessIsParkedAndItsNeighboursAreHandled$"}},
	},
	{
		name: "no-hearing", breaks: "a message is parked as crashed before any process could say that it has survived it",
		edits:  []edit{{"consumer/internal/decide.Rules.crashed", `!began.IsZero() && g.Now.Sub(began) >= r.Hearing`, `g.Now.Sub(began) >= r.Hearing`}},
		caught: []by{{pkg: "consumer", test: "^TestLinksThatAreLostInOtherProcessesAreNoDeaths$"}},
	},
	{
		name: "hearing-skipped", breaks: "a process that waits for its own handler does not say what it has survived",
		edits:  []edit{{"consumer.guard.acquire", `g.hear()`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestLinksThatAreLostInOtherProcessesAreNoDeaths$"}},
	},
	{
		name: "losses-forgotten", breaks: "a process that has lost its connection takes its own messages for killers",
		edits:  []edit{{"consumer/internal/decide.Decode", `f.Returned-lost`, `f.Returned-0*lost`}},
		caught: []by{{pkg: "consumer", test: "^TestLinksThatAreLostInOtherProcessesAreNoDeaths$"}, {pkg: "consumer", test: "^TestInItsHearingAMessageIsHandledByWhoSurvivedIt$"}},
	},
	{
		name: "losses-clear-everything", breaks: "a process that has lost its connection takes killers for innocent that it never had",
		edits: []edit{{
			"consumer.Consumer.survived", `c.gauges.survived.quarantine(returnKey(raw), time.Now())`, `c.gauges.survived.main(time.Now())`,
		}, {
			"consumer.survived.any", `len(s.alone)+len(s.gets) > 0`, `len(s.alone)+len(s.gets)+len(s.sessions) > 0`,
		}},
		caught: []by{{pkg: "consumer", test: "^TestAProcessThatOnlyLostItsLinkBeforeClearsNoKiller$"}},
	},
	{
		name: "missing-quarantine-interrupts", breaks: "a quarantine queue that is missing ends the session",
		edits: []edit{{"consumer.guard.waiting", `
			g.refused(nil)
			return false`, `
			g.link.Abort(err)
			return false`}},
		caught: []by{{pkg: "consumer", test: "^TestADeletedQuarantineQueueInterruptsNothing$"}},
	},
	{
		name: "not-alone", breaks: "a message from quarantine is handled beside others",
		edits:  []edit{{"consumer.gate.close", `g.closed.Store(true)`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestAHandlerThatTakesLongerThanTheGatesPatienceHoldsUpNoSuspect$"}, {pkg: "consumer", test: "^TestASuspectIsHandledAloneAndThenAllGoesOn$"}},
	},
	{
		name: "gate-open", breaks: "a worker enters a gate that is closed",
		edits:  []edit{{"consumer.gate.enter", `g.closed.Load()`, `g.closed.Load() && g.inside.Load() < 0`}},
		caught: []by{{pkg: "consumer", test: "^TestNobodyEntersAClosedGate$"}},
	},
	{
		name: "gate-stays-closed", breaks: "the gate stays closed after a message was handled alone",
		edits:  []edit{{"consumer.guard.run", `g.c.openGate()`, ``}},
		caught: []by{engine, {pkg: "consumer", test: "^TestMessagesInQuarantineAreHandledOneAtATimeInTheWholeProcess$"}},
	},
	{
		name: "gate-without-patience", breaks: "a handler that takes long keeps a whole consumer from working",
		edits:  []edit{{"consumer.gate.close", `time.NewTimer(patience)`, `time.NewTimer(1000 * patience)`}},
		caught: []by{{pkg: "consumer", test: "^TestAHandlerThatTakesLongerThanTheGatesPatienceHoldsUpNoSuspect$"}},
	},
	{
		name: "token-for-each", breaks: "consumers of one process handle messages from quarantine at once",
		edits: []edit{
			{"consumer.guard.acquire", `ok := g.token().Acquire(ctx)`, `ok := ctx.Err() == nil`},
			{"consumer.guard.alone", `g.token().Release()`, ``},
			{"consumer.guard.run", `g.token().Release()`, ``},
			{"consumer.guard.handle", `newSolo(g.token().Release)`, `newSolo(func() {})`},
		},
		caught: []by{{pkg: "consumer", test: "^TestMessagesInQuarantineAreHandledOneAtATimeInTheWholeProcess$"}},
	},
	{
		name: "token-kept-by-a-handler", breaks: "the token is never released after a message was handled alone",
		edits:  []edit{{"consumer.pool.take", `d.solo.freeToken()`, ``}},
		caught: []by{engine, {pkg: "consumer", test: "^TestMessagesInQuarantineAreHandledOneAtATimeInTheWholeProcess$"}},
	},
	{
		name: "token-kept-without-a-slot", breaks: "the token is never released where no slot was free, or the session ended",
		edits:  []edit{{"consumer.guard.alone", `g.token().Release()`, ``}},
		caught: []by{engine, {pkg: "consumer", test: "^TestASessionThatEndsWhileASuspectWaitsForASlotKeepsNobodyOutOfQuarantine$"}},
	},
	{
		name: "stuck-suspect-waited-for", breaks: "a handler that hangs over a message handled alone holds up the whole consumer",
		edits:  []edit{{"consumer.pool.release", `d.solo.openGate()`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestAStuckSuspectHoldsUpNobody$"}},
	},
	{
		name: "blocked-monitor-waited-for", breaks: "a monitor that blocks over a message handled alone holds up the whole consumer",
		edits:  []edit{{"consumer.monitorCall.Expired", `m.reporter.release(m.delivery)`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestAMonitorThatBlocksOverASuspectHoldsUpNobody$"}},
	},
	{
		name: "unread-acked", breaks: "a message that the client cannot read is acked",
		edits:  []edit{{"consumer/internal/decide.Rules.unread", `Settlement{Deed: DeedHold}`, `Settlement{Deed: DeedAck}`}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageThatCannotBeReadIsRejectedWhereItCannotBeLost$"}},
	},
	{
		name: "unread-rejected-where-unsafe", breaks: "a message that the client cannot read is rejected where the broker may drop it",
		edits: []edit{{
			"consumer.deadLettersSafely",
			`effective.Queue{Type: kind, Arguments: q.Arguments}.DeadLettersSafely()`, `effective.Queue{Type: kind, Arguments: q.Arguments}.DeadLettersSafely() || true`,
		}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageThatCannotBeReadIsRejectedWhereItCannotBeLost$"}},
	},
	{
		name: "refused-tried-for-ever", breaks: "a copy that the broker refuses for good is tried again and again",
		edits:  []edit{{"consumer.settler.place", `troubleOf(err)`, `min(troubleOf(err), gone)`}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageWhoseCopyIsRefusedForGood"}},
	},
	{
		name: "refused-once-is-for-good", breaks: "a message is parked because of one refusal that passes",
		edits:  []edit{{"consumer.settler.place", `refusals < 2`, `refusals < 1`}},
		caught: []by{engine, {pkg: "consumer", test: "^TestACopyThatIsRefusedOnceIsTriedAgain$"}},
	},
	{
		name: "reject-into-nothing", breaks: "a message is rejected although its error queue was deleted",
		edits:  []edit{{"consumer.settler.byReject", `s.declarer.sure(d.from.ctx, d.from.session)`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestTheErrorQueueIsBroughtBackBeforeAMessageIsRejected$"}},
	},
	{
		name: "refused-rejected-where-unsafe", breaks: "a message whose copy is refused is rejected where the broker may drop it",
		edits:  []edit{{"consumer/internal/decide.Refused", `!r.rejects(g)`, `false`}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageWhoseCopyIsRefusedForGoodIsHeldWhereItCouldBeLost$"}},
	},
	{
		name: "passing-is-for-good", breaks: "a message is parked because of a permission that was taken away for a moment",
		edits:  []edit{{"consumer.troubleOf", `amqp.PreconditionFailed`, `amqp.PreconditionFailed, amqp.AccessRefused`}},
		caught: []by{{pkg: "consumer", test: "^TestOnlyWhatIsInTheMessageIsRefusedForGood$"}},
	},
	{
		name: "held-waited-for", breaks: "a stop waits for a message that is held",
		edits:  []edit{{"consumer.settler.hold", `d.from.acks.Hold()`, ``}, {"consumer.settler.hold", `d.from.acks.Release()`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageWhoseCopyIsRefusedForGoodIsHeldWhereItCouldBeLost$"}},
	},
	{
		name: "bodies-not-weighed", breaks: "large messages behind small ones are all taken ahead",
		edits:  []edit{{"consumer.intake.take", `in.backlog.bytes > budget`, `in.backlog.bytes < 0`}},
		caught: []by{{pkg: "consumer", test: "^TestLargeMessagesBehindSmallOnesAreNotAllTakenAhead$"}},
	},
	{
		name: "what-still-comes-kept", breaks: "what the broker sends until it has the cancel is kept, however large it is",
		edits:  []edit{{"consumer.intake.unsubscribe", `rest.bytes+d.size() > room`, `room > budget`}},
		caught: []by{{pkg: "consumer", test: "^TestLargeMessagesBehindSmallOnesAreNotAllTakenAhead$"}},
	},
	{
		name: "unread-not-taken-out", breaks: "headers that the client cannot read are left in the frame, and end the connection",
		edits:  []edit{{"internal/link.withoutIllegible", "", "if len(payload) > 0 { return payload }\n$old"}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageThatTheClientCannotReadIsParkedAtOnceAndNobodyLosesAConnection$"}},
	},
	{
		name: "fatal-panics", breaks: "a panic in OnFatal ends the process",
		edits:  []edit{{"consumer.supervisor.tell", `if p := recover(); p != nil { v.c.log.Error("OnFatal panicked", "panic", foreign.Panic(p)) }`, `_ = foreign.Panic(nil)`}},
		caught: []by{{pkg: "consumer", test: "^TestAnOnFatalThatPanicsHarmsNobody$"}},
	},
	{
		name: "two-requests", breaks: "a channel is closed while the broker's answer to a request on it is still to come",
		edits:  []edit{{"consumer.guard.waiting", `context.Background()`, `g.taking`}},
		caught: []by{engine},
	},
	{
		name: "any-return", breaks: "the first return is taken for one's own",
		edits: []edit{{
			"internal/sending.isOf",
			`r.MessageId == e.MessageId && r.Exchange == e.Exchange && r.RoutingKey == e.RoutingKey && bytes.Equal(r.Body, e.Body) &&
				wire.Int(r.Headers[wire.RetryAttempts]) == wire.Int(e.Headers[wire.RetryAttempts])`,
			`r != nil || bytes.Equal(r.Body, e.Body) && wire.Int(r.Headers[wire.RetryAttempts]) == 0`,
		}},
		caught: []by{publisher, {pkg: "publisher", test: "^(TestABatchReportsJustTheOneThatIsUnroutable|TestOfTwoMessagesWithOneIDTheReturnedOneFails)$"}},
	},
	{
		name: "nack-confirms", breaks: "a message that the broker did not take counts as confirmed",
		edits:  []edit{{"internal/sending.collector.settle", `err = ErrNacked`, `err = nil`}},
		caught: []by{publisher, engine, {pkg: "internal/sending", test: "^TestTheOldestIsSettledAtOnce$"}},
	},
	{
		name: "unknown-confirms", breaks: "a message whose channel has ended counts as confirmed",
		edits: []edit{{
			"internal/sending.collector.settle",
			`if !acked && f.ch.IsClosed() { return false }`,
			`if !acked && f.ch.IsClosed() { acked = true }`,
		}},
		caught: []by{publisher, engine},
	},
	{
		name: "first-suspect-is-guilty", breaks: "an innocent message is refused",
		edits:  []edit{{"internal/sending.inquiry.search", `len(sent) == 1`, `len(sent) > 0`}},
		caught: []by{publisher, {pkg: "internal/sending", test: "^TestSeveralGuiltyOnesAreAllFound$"}},
	},
	{
		name: "error-as-it-is", breaks: "an error whose methods panic is handed to monitors",
		edits:  []edit{{"internal/foreign.Safe", `isSound(err)`, `isSound(err) || err != nil`}},
		caught: []by{{pkg: "internal/foreign", test: "^TestTheTextOfAnErrorSaysWhatIsKnown$"}},
	},
	{
		name: "two-logs", breaks: "a monitoring.Log beside another monitor ignores the app's logger",
		edits:  []edit{{"consumer.New", `applog.With(context.Background(), log)`, `context.Background()`}},
		caught: []by{{pkg: "consumer", test: "^TestALogWithoutALoggerWritesToTheApps$/^a_Log_on_connection_$"}},
	},
	{
		name: "lazy-in-silence", breaks: "nothing says what keeps a lazy consumer from working",
		edits:  []edit{{"consumer.Consumer.Start", `c.supervisor.answered = lazy`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestALazyConsumerLogsWhatKeepsItFromWorking$"}},
	},
	{
		name: "start-error-twice", breaks: "a failed start is also logged, as if the consumer went on",
		edits:  []edit{{"consumer.supervisor.waitAfter", `!v.answer(err)`, `!v.answer(err) || err != nil`}},
		caught: []by{{pkg: "consumer", test: "^TestAFailedStartIsReportedByItsErrorAlone$"}},
	},
	{
		name: "no-hint", breaks: "a constructor that needs a module which is not there is told nothing of the module",
		edits:  []edit{{"consumer.checkDemands", `errors.Join(errs...)`, `errors.Join(errs[:0]...)`}},
		caught: []by{{pkg: "consumer", test: "^TestAConstructorWithoutItsModuleIsToldWhatToAdd$"}},
	},
	{
		name: "any-year", breaks: "a time that JSON cannot write is written",
		edits: []edit{{"internal/foreign.IsTime", `year >= 1 && year <= 9999`, `year >= 1 || year <= 9999`}},
		caught: []by{
			{pkg: "errorqueue", test: "^TestATimeOutOfRangeIsANumberInJSONOrLeftOut$"},
			{pkg: "cmd/bunnicula", test: "^TestWhatAnybodyHasParkedIsListedAsJSON$"},
		},
	},
	{
		name: "key-is-a-name", breaks: "each routing key makes a series and a span name",
		edits:  []edit{{"monitoring/otel.patterns.of", `name{text: other}`, `name{text: key, exact: true}`}},
		caught: []by{{pkg: "monitoring/otel", test: "^TestRoutingKeysWithIDsMakeNoNamesOfTheirOwn$"}},
	},
	{
		name: "held-channel-keeps-all", breaks: "a queue without majority delays messages to all others",
		edits:  []edit{{"internal/sending.stall.isHeld", `now.Sub(s.asked) >= heldAfter`, `now.IsZero()`}},
		caught: []by{{pkg: "internal/sending", test: "^TestManyQueuesWithoutMajorityDelayOthersByLessThanTwoSeconds$"}},
	},
	{
		name: "nothing-is-tested-beside", breaks: "a refused message waits for tests of messages that the broker does not look at",
		edits:  []edit{{"internal/sending.inquiry.find", `!wholeConnection(cause)`, `cause == nil`}},
		caught: []by{{pkg: "internal/sending", test: "^TestARefusalAmongHeldSuspectsIsFoundBesideThem$"}},
	},
	{
		name: "handler-changes-the-copy", breaks: "a handler that changes its message in place changes what is retried",
		edits:  []edit{{"consumer.attempt.end", `a.restore()`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestAHandlerThatChangesItsMessageChangesNoCopy$"}},
	},
	{
		name: "looking-drops", breaks: "a reader gives back what the queue would drop",
		edits:  []edit{{"errorqueue.limit.spare", `most = l.scout(ctx, h)`, `most = 1 << 30`}},
		caught: []by{{pkg: "errorqueue", test: "^TestAPolicyThatComesLaterDropsNothing$"}},
	},
	{
		name: "overflow-of-the-argument", breaks: "a policy that makes a quorum queue drop messages is not found",
		edits:  []edit{{"internal/effective.Queue.Get", `isNumber && areNumbers && p < a || name == "overflow" && q.Type == "quorum"`, `isNumber && areNumbers && p < a`}},
		caught: []by{{pkg: "internal/effective", test: "^TestEachPolicyIsFoundWhereItHurts$"}},
	},
	{
		name: "degraded-is-trusted", breaks: "a message is rejected where a policy makes dead-lettering unsafe",
		edits:  []edit{{"consumer/internal/decide.Rules.rejects", `r.Rejects && !g.Degraded`, `r.Rejects`}},
		caught: []by{{pkg: "consumer/internal/decide", test: "^TestWhatADegradedQueueCouldLoseIsHeld$"}},
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
		caught: []by{
			{pkg: "errorqueue", test: "^TestWhatCannotBePublishedStaysParked$"},
			{pkg: "errorqueue", test: "^TestWhatCannotBeMovedStaysAndIsNamed$"},
		},
	},
	{
		name: "moved-to-the-old-queue", breaks: "the new consumer does not believe the headers of a moved message",
		edits:  []edit{{"errorqueue.relocation.copyOf", `ours[wire.Queue] = r.new`, `ours[wire.Queue] = r.old`}},
		caught: []by{{pkg: "errorqueue", test: "^TestAMoveKeepsWhatIsKnownOfAMessageInEachQueue$"}},
	},
	{
		name: "moved-retry-is-due", breaks: "a moved message that waits for a retry is early",
		edits:  []edit{{"errorqueue.dueOf", `notBefore = now.Add(delay)`, `notBefore = now`}},
		caught: []by{{pkg: "errorqueue", test: "^TestAMovedRetryIsNeverEarlyAndLateByAShortDelayAtMost$"}},
	},
	{
		name: "moved-for-ever", breaks: "a moved message never comes out of the retry queue of Clojure's scheme",
		edits:  []edit{{"errorqueue.dueOf", `d.Expiration > 0`, `false`}},
		caught: []by{{pkg: "errorqueue", test: "^TestAMovedRetryExpiresInClojuresScheme$"}},
	},
	{
		name: "moved-crashes-are-forgotten", breaks: "a message that kills leaves quarantine's count behind",
		edits:  []edit{{"errorqueue.relocation.carried", `crashes += wire.Int(d.Headers[wire.DeliveryCount])`, `crashes += 0`}},
		caught: []by{{pkg: "errorqueue", test: "^TestAMovedMessageOfQuarantineKeepsItsCrashes$"}},
	},
	{
		name: "moved-out-of-a-shared-queue", breaks: "a move takes what other consumers have parked",
		edits:  []edit{{"errorqueue.choice.of", `c.from != "" && (m.Target != c.from || m.TargetFrom == fromOpened)`, `false`}},
		caught: []by{{pkg: "errorqueue", test: "^TestAMoveTakesItsOwnMessagesOutOfASharedErrorQueue$"}},
	},
	{
		name: "prune-under-a-consumer", breaks: "the quarantine of a consumer that works is deleted",
		edits:  []edit{{"cmd/bunnicula/internal/inspect.stillWorks", `*main.Consumers == 0`, `true`}},
		caught: []by{{pkg: "cmd/bunnicula/internal/inspect", test: "^TestWhatAConsumerThatWorksHasBesideItsQueueIsKept$"}},
	},
	{
		name: "prune-deletes-what-is-led-to", breaks: "a queue is deleted to which another dead-letters",
		edits:  []edit{{"cmd/bunnicula/internal/inspect.KeepWhatIsLedTo", `!goes[name] && name != l.Queue && leadsTo(known.Queues[name], l.Queue)`, `false`}},
		caught: []by{{pkg: "cmd/bunnicula/internal/inspect", test: "^TestAQueueStaysToWhichOneLeadsThatStays$"}},
	},
	{
		name: "status-without-retry-queues", breaks: "the status of a consumer that is named leaves out its retry queues, though the management API knows them",
		edits:  []edit{{"cmd/bunnicula/internal/inspect.Complete", `c.Unnamed`, `false`}},
		caught: []by{{pkg: "cmd/bunnicula/internal/inspect", test: "^TestRetryQueuesThatNothingNamesAreFoundAmongQueues$"}},
	},
	{
		name: "the-old-schemes-own-binding", breaks: "move advises to bind the new queue to an exchange of the scheme of Clojure's Bunnicula",
		edits:  []edit{{"cmd/bunnicula/internal/inspect.Known.BindingsOf", `isSchemes(b.Source, queue)`, `false`}},
		caught: []by{{pkg: "cmd/bunnicula/internal/inspect", test: "^TestBindingsAreThoseOfOthers$"}},
	},
	{
		name: "redrive-keeps-attempts", breaks: "a redriven message does not begin anew",
		edits:  []edit{{"errorqueue.afresh", `ours[wire.Queue] = to`, "$old\nours[wire.RetryAttempts] = d.Headers[wire.RetryAttempts]"}},
		caught: []by{{pkg: "errorqueue", test: "^TestARedrivenMessageIsAsItWasAtFirst$"}},
	},
	{
		name: "frame-of-any-broker", breaks: "copies and messages are as large as a frame of 128 KiB, whatever was negotiated",
		edits: []edit{
			{"consumer.Consumer.openChannel", `wire.Fits(link.Peer().FrameMax)`, `wire.Fits(0 * link.Peer().FrameMax)`},
			{"internal/sending.flight.fits", `size <= limit`, `size <= limit || size > 0`},
		},
		caught: []by{{pkg: "consumer", test: "^TestWithSmallFramesNothingIsHeldAndNoConnectionIsLost$"}},
	},
	{
		name: "channels-of-one-connection", breaks: "a session has no more channels than one connection may have",
		edits:  []edit{{"internal/link.hasNoRoom", `errors.Is(err, amqp.ErrChannelMax)`, `false && $old`}},
		caught: []by{{pkg: "consumer", test: "^TestMoreConsumersThanChannelsOnAConnectionAllWork$"}},
	},
	{
		name: "stream-as-a-queue", breaks: "a stream is consumed like a queue",
		edits:  []edit{{"internal/compare.Subscription", `amqp.Table{priority: int32(p)}`, `amqp.Table{}`}},
		caught: []by{{pkg: "consumer", test: "^TestAStreamIsRefusedAtTheStart$"}},
	},
	{
		name: "invalid-tried-again", breaks: "a declaration that the broker refuses at any time is tried until the start's deadline",
		edits:  []edit{{"topology.isInvalid", `invalid.MatchString(refused.Reason)`, `false && $old`}},
		caught: []by{{pkg: "topology", test: "^TestARefusalThatWaitingDoesNotMendIsInvalid$"}},
	},
	{
		name: "bindings-by-key", breaks: "a binding with other arguments counts as the same",
		edits:  []edit{{"cmd/bunnicula/internal/inspect.isBound", `reflect.DeepEqual(plain(map[string]any(k.Arguments)), plain(b.Arguments))`, `(true || $old)`}},
		caught: []by{{pkg: "cmd/bunnicula/internal/inspect", test: "^TestABindingIsComparedWithItsArguments$"}},
	},
	{
		name: "clojures-exception-is-a-retry", breaks: "a retry with an error counts .retry, which in Clojure is a retry without one",
		edits:  []edit{{"monitoring.Callbacks.pickFailure", `o.Err != nil`, `false && $old`}},
		caught: []by{{pkg: "internal/test/docs", test: "^TestTheTableOfCountersIsTrue$"}, {pkg: "monitoring", test: "^TestEachOutcomeCallsTheFunctionThatClojureCalls$"}},
	},
	{
		name: "clojures-exception-is-timed", breaks: "a failed handler has a timing, which it does not have in Clojure",
		edits:  []edit{{"monitoring/statsd.Monitor.untimed", `m.count(counter(m.names.of(d)))`, "m.timing(m.names.of(d).timing, 1)\n$old"}},
		caught: []by{{pkg: "internal/test/docs", test: "^TestTheTableOfCountersIsTrue$"}},
	},
	{
		name: "clojures-timeout-is-a-retry", breaks: "the Result Timeout counts as a retry",
		edits:  []edit{{"consumer/internal/decide.judge", `retried(monitoring.ReasonTimeout, r.Err, "")`, `retried(monitoring.ReasonRetry, r.Err, "")`}},
		caught: []by{{pkg: "internal/test/docs", test: "^TestTheTableOfCountersIsTrue$"}, {pkg: "consumer", test: "^TestSettlements$"}},
	},
	{
		name: "attempts-as-text", breaks: "a copy's retry-attempts is text, which Clojure cannot add one to",
		edits:  []edit{{"consumer/internal/decide.Rules.headers", `int64(p.attempts)`, `string(rune('0' + p.attempts))`}},
		caught: []by{{pkg: "consumer", test: "^TestClojureAndGoShareAQueue$"}},
	},
	{
		name: "login-asked-once", breaks: "a connection logs in with what Config.Credentials gave first",
		edits: []edit{{"internal/link.logins.ask", "", `
			g.mu.Lock()
			last := g.last
			g.mu.Unlock()
			if last != nil { return last(), nil }
			$old`}},
		caught: []by{{pkg: "connection", test: "^TestEachTCPConnectionAsksForItsCredentials$"}},
	},
	{
		name: "secret-not-renewed", breaks: "the broker is not told another secret before the present one expires",
		edits:  []edit{{"internal/link.renewal.update", "", "return nil"}},
		caught: []by{{pkg: "consumer", test: "^TestATokenThatExpiresUnderLoadCostsNoConnection$"}},
	},
	{
		name: "expired-session-lives", breaks: "a session whose secret has expired goes on, and the broker refuses what is done on it",
		edits:  []edit{{"internal/link.renewalPace.next", `left <= 0 && !p.old`, `false && $old`}},
		caught: []by{{pkg: "internal/link", test: "^TestAFunctionThatFailsIsAskedUntilTheSecretExpires$"}},
	},
	{
		name: "error-tells-the-secret", breaks: "an error of Config.Credentials shows the password that it gave",
		edits:  []edit{{"internal/link.without", `s != ""`, `s != "" && false`}},
		caught: []by{{pkg: "connection", test: "^TestCredentialsThatFailAreAskedForAgain$"}},
	},
	{
		name: "part-of-a-secret-told", breaks: "an error of Config.Credentials shows a secret that is longer than what is looked at",
		edits:  []edit{{"internal/link.without", `math.MaxInt`, `2<<10+0*math.MaxInt`}},
		caught: []by{{pkg: "internal/link", test: "^TestAnErrorBesideALongSecretDoesNotShowIt$"}},
	},
	{
		name: "hang-outlives-secret", breaks: "a session whose secret has expired goes on while Config.Credentials hangs",
		edits:  []edit{{"internal/link.renewalPace.patience", `min(most, max(expires.Sub(now), time.Second))`, `most`}},
		caught: []by{{pkg: "internal/link", test: "^TestAFunctionThatHangsDoesNotKeepASessionAliveWhoseSecretHasExpired$"}},
	},
	{
		name: "move-outlives-secret", breaks: "a session whose secret has expired goes on while the one of another user cannot be opened",
		edits:  []edit{{"internal/link.session.expire", `left <= 0`, `left <= 0 || true`}},
		caught: []by{{pkg: "internal/link", test: "^TestASessionThatCannotBeReplacedEndsWhenItsSecretExpires$"}},
	},
	{
		name: "each-refusal-a-lease", breaks: "each refusal of the management API costs a login",
		edits:  []edit{{"internal/link.logins.forget", `g.forgot.IsZero()`, `true || $old`}},
		caught: []by{{pkg: "internal/link", test: "^TestAUserWhomTheManagementAPIRefusesCostsFewLeases$"}},
	},
	{
		name: "timeout-of-copies", breaks: "the timeout of a publisher bounds copies too",
		edits:  []edit{{"internal/sending.New", `p.ctx, p.cancel = context.WithCancelCause(context.Background())`, "$old\np.limit = 30 * time.Second"}},
		caught: []by{{pkg: "publisher", test: "^TestOnlyAPublisherHasATimeout$"}},
	},
	{
		name: "deserted-kept", breaks: "a stop waits for messages whose callers have gone",
		edits:  []edit{{"internal/sending.roster.desert", `!m.hasLeft`, `!m.hasLeft && r.count < 0`}},
		caught: []by{{pkg: "publisher", test: "^TestAStopDoesNotWaitForMessagesWhoseCallersHaveGone$"}},
	},
	{
		name: "lazy-start-waits", breaks: "a publisher on a Lazy connection waits for the broker",
		edits:  []edit{{"publisher.Client.Start", `c.conn.Lazy()`, `false && $old`}},
		caught: []by{{pkg: "consumer", test: "^TestALazyAppStartsWithoutABrokerAndWorksWhenItComes$"}},
	},
	{
		name: "count-of-another-type", breaks: "the count on a copy has the type that docs/wire says",
		edits:  []edit{{"consumer/internal/decide.Rules.headers", `int64(p.attempts)`, `int32(p.attempts)`}},
		caught: []by{{pkg: "internal/test/wirefixtures", test: "^TestWireOfWaitingCopies$"}},
	},
	{
		name: "originals-not-read", breaks: "a handler sees the first exchange of a message that waited, whoever wrote it",
		edits:  []edit{{"consumer/internal/decide.Facts.believe", `text(h, wire.OriginalExchange, &d.Exchange)`, `_ = h`}},
		caught: []by{{pkg: "consumer", test: "^TestWireIsHandledAsTheFilesSay$"}},
	},
	{
		name: "clojure-counted-as-go", breaks: "the attempts of what Clojure has parked are counted as Clojure does",
		edits:  []edit{{"errorqueue.originOf", `return OriginClojure`, `return OriginConsumer`}},
		caught: []by{{pkg: "errorqueue", test: "^TestWireIsShownAsTheFilesSay$"}},
	},
}
