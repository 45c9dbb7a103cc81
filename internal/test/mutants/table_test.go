package mutants

// scenario is one of the fault suite, on a real broker.
func scenario(name string) by {
	return by{pkg: "internal/test/faults", test: "^TestFaults$/^" + name + "$", args: []string{"-faults"}}
}

var (
	engine      = model("consumer", "^TestWhateverHappensNoMessageIsLost$")
	memberships = model("consumer", "^TestWhateverIsAddedAndRemovedNothingRunsAfterStop$")
	jobs        = model("pipeline", "^TestWhateverHappensAJobIsCompleteWhenAllIsDone$")
	publisher   = model("publisher", "^TestWhateverHappensWhatAPublishReturnsIsTrue$")
)

// model is a test of random histories on a simulated broker. It ends with the first that fails, and
// the worst mutant needs some 300; so many cost time only if a mutant survives.
func model(pkg, test string) by {
	return by{pkg: pkg, test: test, args: []string{"-rapid.checks=3000", "-rapid.shrinktime=1ms"}}
}

var mutants = []mutant{
	{
		name: "journal-gap", breaks: "a reader of a stream goes on with the record that is next",
		edits:  []edit{{"internal/journal.reader.session", `from = r.last.offset`, `from = r.last.offset + 2`}},
		caught: []by{model("internal/journal", "^TestWhateverHappensReadersSeeTheSame$"), {pkg: "internal/journal", test: "^TestWhereverAConnectionIsCutEachRecordIsSeenOnce$"}},
	},
	{
		name: "journal-any-mark", breaks: "the mark of another Fold ends none before it has seen all",
		edits:  []edit{{"internal/journal.Journal.Fold", `marks[r.ID]`, `r.Type == markType`}},
		caught: []by{{pkg: "internal/journal", test: "^TestAMarkOfAnotherDoesNotEndAFold$"}, model("internal/journal", "^TestWhateverHappensReadersSeeTheSame$")},
	},
	{
		name: "journal-no-look-at-the-end", breaks: "a reader notices that a stream was declared again and is shorter",
		edits:  []edit{{"internal/journal.reader.silent", `end < r.last.offset`, `end < -1`}},
		caught: []by{{pkg: "internal/journal", test: "^TestAStreamThatIsDeletedEndsItsReaders$"}},
	},
	{
		name: "journal-not-routed-for-a-moment", breaks: "a record that a starting broker returns is sent again",
		edits:  []edit{{"internal/journal.Journal.gaveUp", `failed == nil && now.After(r.until)`, `failed == nil`}},
		caught: []by{{pkg: "internal/journal", test: "^TestWhatIsNotRoutedForAMomentIsSentAgain$"}},
	},
	{
		name: "journal-mark-without-confirm", breaks: "a Fold does not wait for ever for the confirm of its mark",
		edits:  []edit{{"internal/journal.Journal.Fold", `context.WithTimeout(ctx, markPatience)`, `context.WithCancel(ctx)`}},
		caught: []by{{pkg: "internal/journal", test: "^TestAFoldEndsAlthoughItsMarkIsNeverConfirmed$"}},
	},
	{
		name: "journal-poisoned-connection", breaks: "a record that nobody can read costs the shared connection once",
		edits:  []edit{{"internal/journal.newSource", `j.apart.Load()`, `false`}},
		caught: []by{{pkg: "internal/journal", test: "^TestARecordThatEndsTheConnectionHurtsNoConsumerForLong$"}},
	},
	{
		name: "journal-of-another-stream", breaks: "a reader does not go on in a stream that was declared again",
		edits:  []edit{{"internal/journal.compare", `placeOf(r) == last`, `true`}},
		caught: []by{{pkg: "internal/journal", test: "^TestAStreamThatIsDeletedEndsItsReaders$"}},
	},
	{
		name: "pipeline-report-after-ack", breaks: "a message of a job is acked when its report is confirmed",
		edits:  []edit{{"pipeline.Pipeline.reported", `err := p.reporter.report(ctx, report)`, "var err error\ngo func() { _ = p.reporter.report(context.WithoutCancel(ctx), report) }()"}},
		caught: []by{{pkg: "pipeline", test: "^TestOutputsAreConfirmedThenReportedThenTheMessageIsAcked$"}, jobs},
	},
	{
		name: "pipeline-ack-unconfirmed", breaks: "a message is acked when all its outputs are confirmed",
		edits:  []edit{{"pipeline.flight.land", `f.n > 0`, `f.n > f.window`}},
		caught: []by{{pkg: "pipeline", test: "^TestOutputsAreConfirmedThenReportedThenTheMessageIsAcked$"}, {pkg: "pipeline", test: "^TestAMessageWhoseOutputFailsIsNotAcked$"}, jobs},
	},
	{
		name: "pipeline-report-unconfirmed", breaks: "a message is reported when all its outputs are confirmed",
		edits:  []edit{{"pipeline.Pipeline.handle", `r.confirm()`, "func() error {\np.reported(ctx, n, r.report())\nreturn r.confirm()\n}()"}},
		caught: []by{{pkg: "pipeline", test: "^TestOutputsAreConfirmedThenReportedThenTheMessageIsAcked$"}},
	},
	{
		name: "pipeline-emit-after-return", breaks: "nothing is emitted when the handler has returned",
		edits:  []edit{{"pipeline.run.emit", `r.over`, `r.over && r.failed != nil`}},
		caught: []by{{pkg: "pipeline", test: "^TestNobodyEmitsWhenTheHandlerHasReturned$"}},
	},
	{
		name: "pipeline-ack-after-a-failed-emit", breaks: "a handler that does not look at emit's error loses no output",
		edits:  []edit{{"pipeline.verdict", `failed == nil`, `failed == nil || said.Acked()`}},
		caught: []by{{pkg: "pipeline", test: "^TestAnEmitThatIsWrongIsNeverAcked$"}},
	},
	{
		name: "pipeline-random-ids", breaks: "all runs of a message give its outputs the same ids",
		edits:  []edit{{"pipeline.node.derive", `uuid.NewSHA1(namespace, []byte(strings.Join(append(below, words...), "\x00")))`, `uuid.NewSHA1(uuid.New(), []byte(strings.Join(append(below, words...), "\x00")))`}},
		caught: []by{{pkg: "pipeline", test: "^TestAMessageOfNoJobIsHandledAndItsOutputsHaveTheSameIDsInEachRun$"}, jobs},
	},
	{
		name: "ack-first", breaks: "an ack is sent before the copy is confirmed",
		edits: []edit{
			{"consumer.settler.byCopy", `s.sending.Post(d.from.ctx, envelope(what.Copy), c)`, "s.ack(d, time.Now())\n$old"},
			{"consumer.onWay.ack", `!s.ack(d, time.Now())`, `time.Now().IsZero()`},
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
				"consumer.onWay.again",
				`if placed && c.ack() { s.reporter.end(c.ctx, c.delivery, c.what) }`,
				`if !placed {
					s.nack(c.delivery)
				}
				$old`,
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
		edits:  []edit{{"consumer/internal/decide.Rules.whole", `c.MessageId = f.MessageID`, `c.MessageId = f.Raw.MessageId`}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageWithoutAnIDHasOneFromItsFirstAttemptUntilItIsParked$"}, {pkg: "consumer", test: "^TestAMessageWithoutAnIDIsFoundInTheErrorQueueByTheIDOfItsFirstAttempt$"}},
	},
	{
		name: "given-id-unmarked", breaks: "nobody can tell a given id from its publisher's",
		edits:  []edit{{"consumer/internal/decide.Rules.headers", `f.MessageIDGiven`, `f.Unread`}},
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
		name: "limit-keeps-workers", breaks: "a lower limit ends no worker, so as many handlers begin as before",
		edits:  []edit{{"consumer.pool.most", `return p.control.slots.Load()`, `return p.concurrency`}},
		caught: []by{{pkg: "consumer", test: "^TestALowerLimitLetsRunningHandlersGoOnAndAHigherOneIsUsedAtOnce$"}, {pkg: "consumer", test: "^TestWhateverTheLimitsAreNoMoreHandlersBegin$"}},
	},
	{
		name: "worker-calls-nobody", breaks: "a worker that has taken a delivery calls no other one for the next",
		edits:  []edit{{"consumer.pool.next", `p.callFor(w.counts) // another one, for what is left`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestSlowHandlersHaveAllWorkersAtOnce$"}},
	},
	{
		name: "open-gate-calls-nobody", breaks: "when the gate opens no worker is called for what waits",
		edits:  []edit{{"consumer.Consumer.openGate", `c.pool.rouse()`, ``}},
		caught: []by{engine},
	},
	{
		name: "quick-worker-waited-for", breaks: "a delivery waits for a worker whose handlers were quick, and whose handler is slow now",
		edits:  []edit{{"consumer.pool.onTimer", `p.call()`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestADeliveryWaitsAMomentAtMostForAQuickWorker$"}},
	},
	{
		name: "called-twice", breaks: "a worker is called for each delivery, however many were called",
		edits:  []edit{{"consumer.pool.needsOne", `!p.called && !p.over`, `!p.over`}},
		caught: []by{{pkg: "consumer", test: "^TestFastHandlersWakeFewWorkers$"}},
	},
	{
		name: "order-lifted-by-resume", breaks: "the application's Resume lifts what an operator has ordered",
		edits:  []edit{{"consumer.Consumer.Resume", `w.paused = false`, `w.paused, w.order = false, Order{}`}},
		caught: []by{{pkg: "consumer", test: "^TestResumeLiftsNoOrderAndAnOrderLiftsNoPause$"}, {pkg: "consumer", test: "^TestAPauseAndALimitStandInEachOrder$"}},
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
		edits:  []edit{{"consumer/internal/decide.Rules.retry", `f.Attempt > r.MaxRetries`, `f.Attempt > r.MaxRetries+1`}},
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
		edits:  []edit{{"consumer.intake.shed", `in.giveBack(all)`, ``}},
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
		edits:  []edit{{"consumer.settler.giveBack", `d.facts.Returned() == 0`, `d.facts.Returned() >= 0`}},
		caught: []by{{pkg: "consumer", test: "^TestPausesAndRestartsMakeNoInnocentMessageLookLikeAKiller$"}},
	},
	{
		name: "multiple-over-a-gap", breaks: "an ack of many covers a message whose handler still runs",
		edits:  []edit{{"consumer/internal/acks.ring.collect", `Ack{oldest.tag, false}`, `Ack{oldest.tag, true}`}},
		caught: []by{engine, {pkg: "consumer/internal/acks", test: "^TestEveryFinishedDeliveryIsAckedInTimeAndNoOther$", args: []string{"-rapid.nofailfile"}}},
	},
	{
		name: "nobody-set-aside", breaks: "a message that came back twice is handled beside others",
		edits:  []edit{{"consumer/internal/decide.Before", `!f.Alone && f.Returns() >= Suspicious && r.guarded()`, `!f.Alone && f.Returns() >= 1000 && r.guarded()`}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageThatCameBackTwiceIsSetAside$"}, {pkg: "consumer", test: "^TestALookThatIsRefusedIsNoLossThatAMessageWasSurvivedIn$"}},
	},
	{
		name: "crashed-too-soon", breaks: "a message is parked as crashed one death too soon",
		edits:  []edit{{"consumer/internal/decide.Before", `Suspicious+f.Returns() >= r.MaxCrashes`, `Suspicious+f.Returns()+1 >= r.MaxCrashes`}},
		caught: []by{engine, {pkg: "consumer", test: "^TestAMessageInQuarantineIsParkedAsCrashedBeforeItsHandlerRuns$"}},
	},
	{
		name: "crashed-never", breaks: "a message that kills each process is handled for ever",
		edits:  []edit{{"consumer/internal/decide.Before", `f.Alone && Suspicious+f.Returns() >= r.MaxCrashes`, `f.Alone && f.Returns() < 0`}},
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
		edits:  []edit{{"consumer/internal/decide.Facts.listen", `t.returned-lost`, `t.returned-0*lost`}},
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
		edits:  []edit{{"consumer.intake.take", `in.c.pool.add(batch...) > budget`, `in.c.pool.add(batch...) < 0`}},
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
		name: "more-than-deaths-left-out", breaks: "a consumer does not get the headers that stand beside the broker's record of deaths",
		edits:  []edit{{"internal/link.deathsOf", `!wire.IsDeath(payload[from+1 : end-len(value)])`, `false && $old`}},
		caught: []by{{pkg: "internal/link", test: "^TestOnlyDeathsAreLeftOut$"}},
	},
	{
		name: "death-in-the-frame", breaks: "a header that is left out of a frame still counts in its size, which ends the connection",
		edits:  []edit{{"internal/link.withoutDeaths", `uint32(len(payload)-later)`, `uint32(len(payload))`}},
		caught: []by{{pkg: "internal/link", test: "^TestOnlyAConsumersLinkLeavesOutDeaths$"}},
	},
	{
		name: "late-copy-unsaid", breaks: "nobody is told of a copy that has no confirm",
		edits:  []edit{{"consumer.settler.byCopy", `s.late.Begin(&c.Operation, c, time.Now())`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestACopyWithoutAConfirmIsBlocked$"}},
	},
	{
		name: "late-copy-watched-for-ever", breaks: "a copy counts as blocked after its confirm",
		edits:  []edit{{"consumer.onWay.arrive", `c.over()`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestACopyWithoutAConfirmIsBlocked$"}},
	},
	{
		name: "copy-outlives-its-channel", breaks: "a copy is waited for when its delivery is the broker's again",
		edits:  []edit{{"consumer.settler.byCopy", `s.sending.Post(d.from.ctx, envelope(what.Copy), c)`, `s.sending.Post(context.WithoutCancel(d.from.ctx), envelope(what.Copy), c)`}},
		caught: []by{{pkg: "consumer", test: "^TestACopyEndsWithTheChannelOfItsDelivery$"}},
	},
	{
		name: "copy-without-a-place-blocked", breaks: "a copy counts as blocked since the window is full",
		edits:  []edit{{"consumer.settler.place", `errors.Is(err, sending.ErrFull)`, `false`}},
		caught: []by{{pkg: "consumer", test: "^TestACopyWaitsForAPlaceInTheWindow$"}},
	},
	{
		name: "acks-behind-the-monitor", breaks: "a monitor that blocks over one copy holds up the acks of others",
		edits:  []edit{{"consumer.onWay.arrive", `go c.report()`, `c.report()`}},
		caught: []by{{pkg: "consumer", test: "^TestAMonitorThatBlocksHoldsUpNoAckOfACopy$"}},
	},
	{
		name: "stop-without-reports", breaks: "a stop does not wait until the monitor was told of all copies",
		edits:  []edit{{"consumer.Consumer.end", `c.settler.copying.Wait()`, ``}},
		caught: []by{{pkg: "consumer", test: "^TestAStopWaitsForCopiesAndTheirReports$"}},
	},
	{
		name: "post-waits", breaks: "who posts a message waits for a place in the window",
		edits:  []edit{{"internal/sending.Pipeline.place", `m.sender != nil`, `false`}},
		caught: []by{{pkg: "internal/sending", test: "^TestPostWaitsForNoPlace$"}},
	},
	{
		name: "post-ends-twice", breaks: "who posts a message is told of two ends",
		edits:  []edit{{"internal/sending.Message.end", `m.state.Swap(ended) != ended`, `m.state.Swap(ended) <= ended`}},
		caught: []by{{pkg: "internal/sending", test: "^TestWhoPostsIsToldOnceThatItsContextHasEnded$"}},
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
			`r.MessageId == e.MessageId && r.Exchange == e.Exchange && r.RoutingKey == e.RoutingKey && m.hasBody(r.Body) &&
				wire.Int(r.Headers[wire.RetryAttempts]) == wire.Int(e.Headers[wire.RetryAttempts])`,
			`r != nil || e != nil && m.hasBody(r.Body) && wire.Int(r.Headers[wire.RetryAttempts]) == 0`,
		}},
		caught: []by{publisher, {pkg: "publisher", test: "^(TestABatchReportsJustTheOneThatIsUnroutable|TestOfTwoMessagesWithOneIDTheReturnedOneFails)$"}},
	},
	{
		name: "lent-body", breaks: "a message is written with what its caller makes of its buffer after the call",
		edits:  []edit{{"internal/sending.Message.claim", `return to.copy(&m.env.Publishing)`, `return &m.env.Publishing`}},
		caught: []by{{pkg: "internal/sending", test: "^TestWhatIsWrittenOfALentBodyIsACopyUntilItsCallerHasGone$"}},
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
		edits:  []edit{{"internal/sending.stall.isHeld", `beats-heldAfter >= len(c.keys())/keysPerBeat`, `$old && beats < 0`}},
		caught: []by{{pkg: "internal/sending", test: "^TestManyQueuesWithoutMajorityDelayOthersByLessThanTwoSeconds$"}},
	},
	{
		name: "slow-broker-holds-channels", breaks: "a broker that hangs for a moment gets nothing twice",
		edits:  []edit{{"internal/sending.doubt.grow", `pulse == d.pulse`, `pulse < d.pulse`}},
		caught: []by{{pkg: "internal/sending", test: "^TestABrokerThatHangsForSecondsGetsNoCopies$"}},
	},
	{
		name: "slow-broker-holds-tests", breaks: "what a slow broker tests is sent once",
		edits:  []edit{{"internal/sending.inquiry.answers", `doubt.grow(f.session, now) >= looksWithin`, `doubt.grow(f.session, now) >= 0`}},
		caught: []by{{pkg: "internal/sending", test: "^TestABrokerThatHangsDuringAnInquiryGetsNoCopies$"}},
	},
	{
		name: "many-queues-hold-a-channel", breaks: "a channel's first messages to many healthy queues are sent once",
		edits:  []edit{{"internal/sending.stall.isHeld", `len(c.keys())/keysPerBeat`, `min(0, $old)`}},
		caught: []by{{pkg: "internal/sending", test: "^TestAChannelMayTakeLongerForItsFirstMessagesToManyQueues$"}},
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
		name: "goes-on-with-old-failures", breaks: "a redrive that goes on counts only what failed again since",
		edits:  []edit{{"errorqueue.batches.isAgain", `!earlier`, `($old || true)`}},
		caught: []by{{pkg: "errorqueue", test: "^TestARedriveGoesOnInBatchesAfterSomeHaveFailedAgain$"}},
	},
	{
		name: "late-zero", breaks: "a queue that does not answer its broker in time is taken for empty",
		edits:  []edit{{"internal/transport.Look", `a.sure`, `true || $old`}},
		caught: []by{{pkg: "internal/transport", test: "^TestAQueueThatIsSilentForAMomentIsAskedAgain$"}},
	},
	{
		name: "distant-zero", breaks: "an empty queue of a distant broker is asked again and again",
		edits:  []edit{{"internal/transport.LookOnce", `took < time.Since(began)+leaderWait/2`, `false`}},
		caught: []by{{pkg: "internal/transport", test: "^TestAnEmptyQueueFarAwayIsAskedOnce$"}},
	},
	{
		name: "edge-one-by-one", breaks: "a reader takes more windows near a message that cannot be read than fit on a channel",
		edits:  []edit{{"errorqueue.edge.window", `(e.span+pieces-1)/pieces`, `1`}},
		caught: []by{model("errorqueue", "^TestAllThatStandsBeforeAMessageThatCannotBeReadIsReadInAFewReadings$")},
	},
	{
		name: "edge-of-a-classic-queue", breaks: "a reader does not know that a quorum queue moves the message that cannot be read",
		edits:  []edit{{"errorqueue.edge.places", `max(e.safe, e.delivered-e.span)`, `e.safe`}},
		caught: []by{model("errorqueue", "^TestAllThatStandsBeforeAMessageThatCannotBeReadIsReadInAFewReadings$")},
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
		name: "redrive-grows", breaks: "a redrive moves messages behind those of its plan when a lost connection has moved them to the front",
		edits:  []edit{{"errorqueue.within.has", `w.fixed && !w.met.meets(d)`, `false`}},
		caught: []by{{pkg: "errorqueue", test: "^TestAPlanDoesNotGrowWhenTheConnectionIsLost$"}, {pkg: "errorqueue", test: "^TestTheFirstMessagesAreRecognisedWhereALostConnectionHasMovedThem$"}},
	},
	{
		name: "redrive-reads-on", breaks: "a redrive moves messages that were parked since its plan",
		edits:  []edit{{"errorqueue.within.extent", `what.most = w.most`, ``}},
		caught: []by{{pkg: "errorqueue", test: "^TestAPlanDoesNotGrow$"}},
	},
	{
		name: "redrive-clock-goes-on", breaks: "a redrive chooses messages that have become old enough since its plan",
		edits:  []edit{{"errorqueue.frozen", `return moment`, `return now`}},
		caught: []by{{pkg: "errorqueue", test: "^TestTheMomentOfAFilterIsTheCallersOrThatOfTheCall$"}, {pkg: "errorqueue", test: "^TestAPlanDoesNotGrow$"}},
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
		name: "disobedience-unsaid", breaks: "a command says that all obey, whoever does not",
		edits:  []edit{{"cmd/bunnicula.heed.all", `h.obeyed == h.of`, `true`}},
		caught: []by{{pkg: "cmd/bunnicula", test: "^TestWhoDoesNotObeyIsSaidAndFound$"}},
	},
	{
		name: "order-beyond-its-question", breaks: "an order reaches consumers that the question did not name",
		edits:  []edit{{"cmd/bunnicula.fleetOrder.ask", `reach.names`, `w.command.Consumers`}},
		caught: []by{{pkg: "cmd/bunnicula", test: "^TestAnOrderAsksAndWhatWasNotAskedForIsNotReached$"}},
	},
	{
		name: "pause-unexplained", breaks: "the doctor says of a paused queue that nobody consumes it",
		edits:  []edit{{"internal/doctor.Facts.explained", `paused || f.family(queue) != nil`, `paused && false || f.family(queue) != nil`}},
		caught: []by{{pkg: "internal/doctor", test: "^TestAPauseThatStandsExplainsAQueueThatWaits$"}},
	},
	{
		name: "partition-of-nobody-unsaid", breaks: "a partition that nobody consumes is said to be well",
		edits:  []edit{{"internal/inspect.Partition.judge", `p.Consumers != nil && *p.Consumers == 0 && !some(p.Subscribed)`, `false`}},
		caught: []by{{pkg: "internal/inspect", test: "^TestHowManyPartitionsThereAreIsKnownFromWhoConsumes$"}},
	},
	{
		name: "prune-under-a-consumer", breaks: "the quarantine of a consumer that works is deleted",
		edits:  []edit{{"internal/inspect.stillWorks", `*main.Consumers == 0`, `true`}},
		caught: []by{{pkg: "internal/inspect", test: "^TestWhatAConsumerThatWorksHasBesideItsQueueIsKept$"}},
	},
	{
		name: "prune-deletes-what-is-led-to", breaks: "a queue is deleted to which another dead-letters",
		edits:  []edit{{"internal/inspect.KeepWhatIsLedTo", `!goes[name] && name != l.Queue && LeadsTo(known.Queues[name], l.Queue)`, `false`}},
		caught: []by{{pkg: "internal/inspect", test: "^TestAQueueStaysToWhichOneLeadsThatStays$"}},
	},
	{
		name: "a-time-that-has-passed", breaks: "publish --at publishes at once what was to be published at a time that has passed",
		edits:  []edit{{"cmd/bunnicula.due.readAt", `!until.After(now)`, `false`}},
		caught: []by{{pkg: "cmd/bunnicula", test: "^TestWrongDelaysAreSaidByFlagAndValue$"}},
	},
	{
		name: "status-promises-a-return", breaks: "status says of a retry queue without a time to live when its messages are back",
		edits:  []edit{{"internal/inspect.QueueStatus.wait", `known.Name != ""`, `false`}},
		caught: []by{{pkg: "internal/inspect", test: "^TestWhenWhatWaitsIsBackIsSaidAsFarAsItIsKnown$"}},
	},
	{
		name: "what-waits-for-nobody", breaks: "the doctor says of a classic queue that the broker keeps what it drops",
		edits:  []edit{{"internal/doctor.noWayBack", `r.classic`, `false`}},
		caught: []by{{pkg: "internal/doctor", test: "^TestWhatWaitsForAQueueThatIsGoneIsKeptOrDropped$"}},
	},
	{
		name: "status-without-retry-queues", breaks: "the status of a consumer that is named leaves out its retry queues, though the management API knows them",
		edits:  []edit{{"internal/inspect.Complete", `c.Unnamed`, `false`}},
		caught: []by{{pkg: "internal/inspect", test: "^TestRetryQueuesThatNothingNamesAreFoundAmongQueues$"}},
	},
	{
		name: "the-old-schemes-own-binding", breaks: "move advises to bind the new queue to an exchange of the scheme of Clojure's Bunnicula",
		edits:  []edit{{"internal/inspect.Known.BindingsOf", `isSchemes(b.Source, queue)`, `false`}},
		caught: []by{{pkg: "internal/inspect", test: "^TestBindingsAreThoseOfOthers$"}},
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
		edits:  []edit{{"internal/inspect.isBound", `reflect.DeepEqual(plain(map[string]any(k.Arguments)), plain(b.Arguments))`, `(true || $old)`}},
		caught: []by{{pkg: "internal/inspect", test: "^TestABindingIsComparedWithItsArguments$"}},
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
		name: "deserted-uncounted", breaks: "a stop waits for a message that ended while its lane was chosen",
		edits:  []edit{{"internal/sending.roster.join", `m.isDeserted`, `false && $old`}},
		caught: []by{{pkg: "internal/sending", test: "^TestAMessageThatEndsWhileItsLaneIsChosenIsCountedOnce$"}},
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
		edits:  []edit{{"consumer/internal/decide.told.believe", `text(h, wire.OriginalExchange, &t.exchange)`, `_ = h`}},
		caught: []by{{pkg: "consumer", test: "^TestWireIsHandledAsTheFilesSay$"}},
	},
	{
		name: "clojure-counted-as-go", breaks: "the attempts of what Clojure has parked are counted as Clojure does",
		edits:  []edit{{"errorqueue.originOf", `return OriginClojure`, `return OriginConsumer`}},
		caught: []by{{pkg: "errorqueue", test: "^TestWireIsShownAsTheFilesSay$"}},
	},
	{
		name: "moment-given-twice", breaks: "a moment is given to one message",
		edits:  []edit{{"use.line.ask", `max(l.next, now-r.ahead) + r.every`, `max(l.next, now-r.ahead+r.every)`}},
		caught: []by{{pkg: "use", test: "^TestNoMomentIsGivenTwiceHoweverManyAskAtOnce$"}, {pkg: "use", test: "^TestWhateverMessagesAskTheLimitHolds$"}},
	},
	{
		name: "handled-anyway", breaks: "a message whose limiter fails is not handled",
		edits:  []edit{{"use.gate.pass", `err != nil`, `err != nil && !s.Given`}},
		caught: []by{{pkg: "use", test: "^TestAMessageIsNotHandledWhenTheLimiterFails$"}},
	},
	{
		name: "nonsense-believed", breaks: "an answer that no limiter may give is not believed",
		edits:  []edit{{"use.gate.pass", `s.check(ask)`, `error(nil)`}},
		caught: []by{{pkg: "use", test: "^TestAMessageIsNotHandledWhenTheLimiterAnswersNonsense$"}},
	},
	{
		name: "late-handler-begins", breaks: "a handler that has missed its moment asks for another",
		edits:  []edit{{"use.gate.pass", `time.Since(from) <= s.Wait+s.Slack`, `!from.IsZero()`}},
		caught: []by{{pkg: "use", test: "^TestAHandlerThatIsLateAsksForAnotherMoment$"}},
	},
	{
		name: "waiting-takes-all-slots", breaks: "messages that wait leave slots to others",
		edits:  []edit{{"use.crowd.patience", `others < room`, `others < slots`}},
		caught: []by{{pkg: "use", test: "^TestABusyKeyDoesNotHoldUpOthers$"}},
	},
	{
		name: "free-moment-kept", breaks: "a free moment is given to a message that came without a place",
		edits:  []edit{{"use.line.ask", `wait <= patience`, `wait <= patience && (wait > 0 || patience == a.Patience || len(l.places.at) == 0)`}},
		caught: []by{{pkg: "use", test: "^TestTheRuleOfSlots$"}, {pkg: "use", test: "^TestWhateverMessagesAskTheLimitHolds$"}},
	},
	{
		name: "place-lost-by-asking", breaks: "a message that comes early keeps its place",
		edits:  []edit{{"use.places.again", `has && now < place`, `has && now < place-a.Near-time.Hour`}},
		caught: []by{{pkg: "use", test: "^TestTheRuleOfSlots$"}, {pkg: "use", test: "^TestWhateverMessagesAskTheLimitHolds$"}},
	},
	{
		name: "limit-forgotten", breaks: "a key is not forgotten while its limit counts",
		edits:  []edit{{"use.line.forget", `l.next <= now-l.rates.ahead`, `l.next <= now+time.Hour`}},
		caught: []by{{pkg: "use", test: "^TestAKeyIsNotForgottenWhileItsLimitCounts$"}},
	},
	{
		name: "turn-of-one-who-gave-up", breaks: "nobody who has given up has a turn",
		edits:  []edit{{"use.hall.waited", `r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)`, `_ = i`}},
		caught: []by{{pkg: "use", test: "^TestAMessageThatWaitsInVainForItsTurnSnoozes$"}, {pkg: "use", test: "^TestAStopWhileAMessageWaitsForItsTurnCountsAsNothing$"}},
	},
	{
		name: "turn-kept-by-a-panic", breaks: "a handler that panics gives its turn on",
		edits:  []edit{{"use.AtMost", `defer func() { h.leave(r, time.Since(began)) }(); return next(ctx, d)`, `done := next(ctx, d); h.leave(r, time.Since(began)); return done`}},
		caught: []by{{pkg: "use", test: "^TestAHandlerThatPanicsGivesItsTurnOn$"}},
	},
	{
		name: "probe-uses-an-attempt", breaks: "a failure while a breaker is open uses no attempt",
		edits:  []edit{{"use.circuit.fail", `c.until = now.Add(c.rest); return false`, `c.until = now.Add(c.rest); return true`}},
		caught: []by{{pkg: "use", test: "^TestNoFailureOfAnOpenBreakerUsesAnAttemptOrParks$"}},
	},
	{
		name: "poison-opens-breaker", breaks: "one message that fails again and again opens no breaker",
		edits:  []edit{{"use.circuit.fail", `len(c.row) >= limit`, `c.row[done.id] >= limit || $old`}},
		caught: []by{{pkg: "use", test: "^TestABreakerOpensByFailuresInARowOfDistinctMessages$"}},
	},
	{
		name: "probe-lost", breaks: "a probe that never ends is followed by another",
		edits:  []edit{{"use.circuit.ask", `now.Add(c.rest)`, `now.Add(1000 * c.rest)`}},
		caught: []by{{pkg: "use", test: "^TestAProbeIsNeverLost$/^no_return$"}},
	},
	{
		name: "herd-after-outage", breaks: "a service that comes back is not called by all that have waited",
		edits:  []edit{{"use.circuit.ask", `c.running <= c.answers`, `true`}},
		caught: []by{{pkg: "use", test: "^TestMessagesThatWaitGoOnAsSoonAsTheServiceAnswers$"}},
	},
	{
		name: "last-attempt-in-doubt", breaks: "with NoRetries an outage parks the first message alone",
		edits:  []edit{{"use.circuit.fail", `done.last && len(c.row) > 1`, `false`}},
		caught: []by{{pkg: "use", test: "^TestAnOutageParksAtMostTheFirstMessageAlsoWithNoRetries$"}},
	},
	{
		name: "overlap-counts", breaks: "a failure that began before a breaker opened uses no attempt",
		edits:  []edit{{"use.circuit.end", `!current`, `false`}},
		caught: []by{{pkg: "use", test: "^TestAFailureThatBeganBeforeTheBreakerOpenedDoesNotCount$"}},
	},
	{
		name: "breaker-takes-stacks", breaks: "a panic keeps its stack while a breaker is closed",
		edits:  []edit{{"use.breaker.handle", `if counts { return }`, `if counts && end.what != panicked { return }`}},
		caught: []by{{pkg: "use", test: "^TestAPanicOfAClosedBreakerKeepsItsStack$"}},
	},
	{
		name: "old-message-snoozes", breaks: "a message that is too old is not tried again",
		edits:  []edit{{"use.MaxAge", `r.Errored()`, `r.Errored() || r.Snoozed()`}},
		caught: []by{{pkg: "use", test: "^TestMaxAgeBoundsSnoozesAndABreaker$"}},
	},
	{
		name: "old-message-times-out", breaks: "a message that is too old is not tried again when its handler ran past its timeout",
		edits:  []edit{{"use.tooOld", `gaveUp(cause)`, `false`}},
		caught: []by{{pkg: "use", test: "^TestATimeoutOfAnOldMessageIsParked$"}},
	},
	{
		name: "body-treated-as-ack", breaks: "a body that does not decode is never treated as an ack",
		edits:  []edit{{"use.asksAbout", `undecodable(r)`, `false`}},
		caught: []by{{pkg: "use", test: "^TestPanicsTimeoutsAndUndecodableBodiesAreNeverTreatedAsAck$"}},
	},
	{
		name: "marked-before-the-work", breaks: "a message whose handler dies or fails is not marked as done",
		edits:  []edit{{"use.deduper.handle", `return next(ctx, d)`, `s.settle(ctx, d, key, token, true); return next(ctx, d)`}},
		caught: []by{{pkg: "use", test: "^TestOnlyAnAckMarks$"}, {pkg: "use", test: "^TestCopiesOfAMessageAreHandledOneAtATimeAndNotAgainWhateverHappens$", args: []string{"-rapid.nofailfile"}}},
	},
	{
		name: "given-id-skipped-by", breaks: "a message without an id of its own is never skipped",
		edits:  []edit{{"use.Dedupe", `d.MessageIDGiven || d.MessageID == ""`, `d.MessageID == ""`}},
		caught: []by{{pkg: "use", test: "^TestAMessageWithoutAnIDOfItsOwnIsNeverSkipped$"}},
	},
	{
		name: "busy-acked", breaks: "a message is not acked because another copy is about to be handled",
		edits:  []edit{{"use.deduper.enter", `snooze(comeAgain(lease, c.Left), ErrBusy)`, `consumer.Ack()`}},
		caught: []by{{pkg: "use", test: "^TestOfTwoCopiesAtOnceOneIsHandled$"}},
	},
	{
		name: "store-down-handled-anyway", breaks: "a message is not handled while the store is down",
		edits:  []edit{{"use.deduper.enter", `err != nil`, `err != nil && c.State == ClaimDone`}},
		caught: []by{{pkg: "use", test: "^TestWhileTheStoreFailsNothingIsHandled$"}},
	},
	{
		name: "claim-not-fenced", breaks: "a late end of a claim leaves the claim of another",
		edits:  []edit{{"use.Memory.Settle", `r != nil && r.token != token`, `r != nil && r.token == ""`}},
		caught: []by{{pkg: "use", test: "^TestAMemoryIsAStore$"}},
	},
	{
		name: "lease-without-grace", breaks: "a claim holds until a handler must have returned",
		edits:  []edit{{"use.leaseFor", `max(time.Until(deadline), 0) + grace`, `max(time.Until(deadline), 0) + 0*grace`}},
		caught: []by{{pkg: "use", test: "^TestALeaseIsUntilTheDeadlineAndTheGrace$"}},
	},
	{
		name: "claim-of-who-stops-kept", breaks: "a claim is ended although the handler's context has",
		edits:  []edit{{"use.deduper.settle", `context.WithoutCancel(ctx)`, `ctx`}},
		caught: []by{{pkg: "use", test: "^TestAClaimIsSettledWhenTheHandlersContextHasEnded$"}},
	},
	{
		name: "killer-behind-a-store", breaks: "a message that kills its process is parked although its claim outlives it",
		edits:  []edit{{"use.deduper.enter", `c.Lapses >= mostLapses`, `false`}},
		caught: []by{{pkg: "use", test: "^TestAMessageWhoseProcessHasDiedTenTimesIsParked$"}},
	},
	{
		name: "acked-unanswered", breaks: "a request is acked when its answer is confirmed",
		edits:  []edit{{"use.replied", `foreign.Is(err, publisher.ErrUnroutable)`, `err != nil`}},
		caught: []by{{pkg: "use", test: "^TestARequestWhoseAnswerIsNotConfirmedIsRetried$"}},
	},
	{
		name: "answer-with-a-new-id", breaks: "an answer that is sent twice has the same id",
		edits:  []edit{{"use.answerID", `uuid.NewSHA1(answerSpace, []byte(key)).String()`, `uuid.NewString() + key[:0]`}},
		caught: []by{{pkg: "use", test: "^TestAnAnswerHasTheSameIDEachTimeAndOfEachRequestAnother$"}},
	},
	{
		name: "retry-after-ignored", breaks: "a message waits as long as Retry-After says",
		edits:  []edit{{"use.retryAfter", `return wait`, `return 0 * wait`}},
		caught: []by{{pkg: "use", test: "^TestEachStatusHasItsResult$"}},
	},
	{
		name: "retry-after-by-our-clock", breaks: "the date of a Retry-After is compared with the server's clock",
		edits:  []edit{{"use.retryAfter", `now = date`, `_ = date`}},
		caught: []by{{pkg: "use", test: "^TestRetryAfterIsUnderstoodInBothFormsAndBounded$"}},
	},
	{
		name: "url-shows-its-query", breaks: "no text of a failed request has what may be secret in its URL",
		edits:  []edit{{"use.bareError", `bare(u)`, `u.String()`}},
		caught: []by{{pkg: "use", test: "^TestNoTextOfAFailedRequestHasASecret$"}},
	},
	{
		name: "quoted-url-shown", breaks: "no URL shows its secrets, whatever they look like",
		edits:  []edit{{"use.redact", `quoted(e.URL)`, `e.URL`}},
		caught: []by{{pkg: "use", test: "^TestNoURLShowsItsSecretsWhateverTheyLookLike$", args: []string{"-rapid.nofailfile"}}},
	},
	{
		name: "early-handled", breaks: "a message that comes early is handled at once",
		edits: []edit{
			{"consumer/internal/decide.Before", `f.NotBefore().Sub(g.Now) >= Moment`, `f.NotBefore().Sub(g.Now) >= 10000*time.Hour+Moment`},
			{"consumer.received.waitFor", `left > 0`, `left > 0 && left < 50*time.Millisecond`}, // or it waits in its slot
		},
		caught: []by{engine, {pkg: "consumer", test: "^TestAnEarlyMessageGoesToTheLargestDelayThatFits$"}, {pkg: "internal/test/delays", test: "^TestNoMessageIsHandledEarlyOrLostWhenWorkersDie$"}},
	},
	{
		name: "moment-not-waited-for", breaks: "a message that comes less than 50 ms early is handled at once",
		edits:  []edit{{"consumer.received.waitFor", `time.Sleep(left)`, `time.Sleep(0 * left)`}},
		caught: []by{{pkg: "consumer", test: "^TestAMessageThatComesAMomentEarlyIsHandledWhenItIsDue$"}, {pkg: "internal/test/delays", test: "^TestNoMessageIsHandledEarlyOrLostWhenWorkersDie$"}},
	},
	{
		name: "due-rounded-down", breaks: "a part of a millisecond of a delay is cut off",
		edits:  []edit{{"internal/wire.Stamp", `t.Add(time.Millisecond - time.Nanosecond)`, `t.Add(0)`}},
		caught: []by{{pkg: "publisher", test: "^TestAMessageWithADelayWaitsInTheLongestQueueThatFits$"}},
	},
	{
		name: "delay-not-guarded", breaks: "a message with a delay is handled when its first retry queue lets it go",
		edits:  []edit{{"internal/sending.Draft.delay", `d.Headers[wire.Due], d.Headers[wire.NotBefore] = stamp, stamp`, `d.Headers[wire.Due] = stamp`}},
		caught: []by{engine, {pkg: "publisher", test: "^TestAMessageWithADelayWaitsInTheLongestQueueThatFits$"}, {pkg: "internal/test/delays", test: "^TestNoMessageIsHandledEarlyOrLostWhenWorkersDie$"}},
	},
	{
		name: "rung-too-long", breaks: "a message with a delay waits in a queue that keeps it longer",
		edits:  []edit{{"internal/route.Rung", `closer(r, best, want)`, `closer(r, best, want+want/2)`}},
		caught: []by{{pkg: "internal/route", test: "^TestTheLadderNeverChanges$"}, {pkg: "publisher", test: "^TestAMessageWithADelayWaitsInTheLongestQueueThatFits$"}},
	},
	{
		name: "delay-optional", breaks: "a message with a delay is lost in silence where the consumer is not on the Ladder",
		edits:  []edit{{"internal/sending.Draft.checkDelayed", `d.NotMandatory`, `d.NotMandatory && d.Exchange != ""`}},
		caught: []by{{pkg: "publisher", test: "^TestADelayThatCannotBeKeptIsAnErrorThatNamesTheQueue$"}},
	},
	{
		name: "due-not-carried", breaks: "a copy does not say when its message was due, so that its age counts from its publish",
		edits:  []edit{{"consumer/internal/decide.Facts.carried", `wire.Kept(k, v) && !slices.Contains(onlyParked, k)`, `wire.Kept(k, v) && k != wire.Due && !slices.Contains(onlyParked, k)`}},
		caught: []by{{pkg: "consumer", test: "^TestEachCopyKeepsTheTimeAtWhichAMessageWasDue$"}, {pkg: "internal/test/delays", test: "^TestTheAgeOfAMessageCountsFromWhenItWasDueAllTheWay$"}},
	},
	{
		name: "due-not-moved", breaks: "a message that is redriven or moved does not say when it was due",
		edits:  []edit{{"errorqueue.kept", `wire.Kept(k, v)`, `wire.Kept(k, v) && k != wire.Due`}},
		caught: []by{{pkg: "errorqueue", test: "^TestEveryWayKeepsTheTimeAtWhichAMessageWasDue$"}, {pkg: "internal/test/delays", test: "^TestTheAgeOfAMessageCountsFromWhenItWasDueAllTheWay$"}},
	},
	{
		name: "age-from-publish", breaks: "the age of a message counts from its publish, also if it was due or redriven later",
		edits:  []edit{{"consumer/internal/decide.told.believe", `at.After(t.since)`, `t.since.IsZero()`}},
		caught: []by{{pkg: "consumer", test: "^TestTheAgeOfAMessageCountsFromItsPublishFromWhenItWasDueOrFromItsRedrive$"}},
	},
	{
		name: "late-snooze-is-a-timeout", breaks: "a handler that snoozes past its timeout uses an attempt",
		edits:  []edit{{"consumer/internal/decide.judge", `e.TimedOut && r.Verdict != Snooze && (r.Verdict != Error || gaveUpOnContext(r.Err))`, `e.TimedOut && (r.Verdict != Error || gaveUpOnContext(r.Err))`}},
		caught: []by{{pkg: "consumer", test: "^TestSettlements$"}},
	},
	{
		name: "snooze-is-a-failure", breaks: "a snooze with an error is a failure to monitors",
		edits:  []edit{{"monitoring/sentry.exceptionsAndParked", `o.Action == monitoring.Parked`, `o.Action == monitoring.Parked || o.Err != nil && o.Action == monitoring.Snoozed`}},
		caught: []by{{pkg: "monitoring/sentry", test: "^TestOnlyExceptionsAndParkedMessagesAreReported$"}},
	},
	{
		name: "moment-when-redis-was-slow", breaks: "no handler begins at a moment that has passed while Redis answered",
		edits:  []edit{{"use/redis.limiter.moment", `reply.Slack >= 0`, `true`}},
		caught: []by{{pkg: "use/redis", test: "^TestAnAnswerThatComesAfterItsMomentGivesNone$"}},
	},
	{
		name: "slow-redis-holds-handlers", breaks: "a message waits for Redis for Config.Timeout at most",
		edits:  []edit{{"use/redis.server.runOr", `answers := make(chan answer)`, "$old\nctx = context.WithoutCancel(ctx)"}},
		caught: []by{{pkg: "use/redis", test: "^TestAClientThatDoesNotReturnHoldsAHandlerForTheTimeout$"}},
	},
	{
		name: "renewal-that-is-late-ended", breaks: "the claim of a handler that runs is not ended because Redis is slow",
		edits:  []edit{{"use/redis.store.Claim", `!renewed`, `(renewed || !renewed)`}},
		caught: []by{{pkg: "use/redis", test: "^TestAClaimWhoseAnswerComesTooLateIsGivenBack$"}},
	},
	{
		name: "late-claim-forgets-deaths", breaks: "deaths of a message's processes are counted although a claim comes too late",
		edits:  []edit{{"use/redis.store.Claim", `giveBack`, `free`}},
		caught: []by{{pkg: "use/redis", test: "^TestAClaimWhoseAnswerComesTooLateIsGivenBack$"}},
	},
	{
		name: "nonsense-of-redis-believed", breaks: "nothing is handled by a reply that is none of the script's",
		edits:  []edit{{"use/redis.parse", `n < 0`, `false`}},
		caught: []by{{pkg: "use/redis", test: "^TestAReplyThatIsNonsenseIsAnError$"}},
	},
	{
		name: "keys-share-a-limit", breaks: "no two keys have the same name in Redis",
		edits:  []edit{{"use/redis.keyName", `!strings.HasPrefix(key, hashed)`, `true`}},
		caught: []by{{pkg: "use/redis", test: "^TestNamesAreShortAndNoTwoKeysHaveTheSame$"}},
	},
	{
		name: "moments-rounded-down", breaks: "no Per has more than the Limit, in Redis's microseconds",
		edits:  []edit{{"use/redis.spaced", `every + time.Microsecond - 1`, `every`}},
		caught: []by{{pkg: "use/redis", test: "^TestMomentsAreRoundedUpToMicroseconds$"}},
	},
	{
		name: "event-for-each-ack", breaks: "a message that is acked at its first attempt has no event, and costs nothing",
		edits:  []edit{{"control.What.fits", `d.RedriveCount > 0 && (o.Action == monitoring.Acked || failed && d.Attempt == 1)`, `o.Action == monitoring.Acked || failed && d.RedriveCount > 0 && d.Attempt == 1`}},
		caught: []by{{pkg: "control", test: "^TestEachOutcomeHasItsEvents$"}, {pkg: "control", test: "^TestAnAckCostsNothing$"}},
	},
	{
		name: "events-hold-handlers", breaks: "a handler never waits for room among the events",
		edits:  []edit{{"control.EventMonitor.offer", `m.losses.add(1, errFull)`, `m.buffer <- e`}},
		caught: []by{{pkg: "control", test: "^TestASlowBrokerSlowsNoHandlerAndWhatIsDroppedIsCountedAndToldOnceAMinute$"}},
	},
	{
		name: "events-lost-in-silence", breaks: "an event that is dropped at the stop is counted",
		edits:  []edit{{"control.EventMonitor.discard", `m.losses.add(1, errStopped)`, `_ = errStopped`}},
		caught: []by{{pkg: "control", test: "^TestStopPublishesWhatWaitsAndTakesASecondAtMost$"}},
	},
	{
		name: "events-flood-the-log", breaks: "dropped events are logged at most once a minute",
		edits:  []edit{{"control.losses.add", `!time.Now().Before(l.next)`, `true`}},
		caught: []by{{pkg: "control", test: "^TestASlowBrokerSlowsNoHandlerAndWhatIsDroppedIsCountedAndToldOnceAMinute$"}},
	},
	{
		name: "events-hold-the-stop", breaks: "a stop waits a second at most for events",
		edits:  []edit{{"control.EventMonitor.Stop", `context.WithTimeout(ctx, farewell)`, `context.WithTimeout(ctx, 10*farewell)`}},
		caught: []by{{pkg: "control", test: "^TestStopPublishesWhatWaitsAndTakesASecondAtMost$"}},
	},
	{
		name: "events-about-events", breaks: "a consumer of events that fails makes no more of them",
		edits:  []edit{{"control.EventMonitor.End", `d.Exchange == m.cfg.Exchange`, `false`}},
		caught: []by{{pkg: "control", test: "^TestNothingIsPublishedAboutEvents$"}},
	},
	{
		name: "events-about-dead-lettered-events", breaks: "no events about events, whatever way they took",
		edits:  []edit{{"control.EventMonitor.End", `isEvent(&d)`, `false`}},
		caught: []by{{pkg: "control", test: "^TestNothingIsPublishedAboutEventsThatTookADetour$"}},
	},
	{
		name: "watched-exchange-bound-once", breaks: "bunnicula events watches an exchange that was made anew",
		edits:  []edit{{"cmd/bunnicula.eventTail.session", `return t.bind(ch, queue)`, `_ = queue; return nil`}},
		caught: []by{{pkg: "cmd/bunnicula", test: "^TestAnExchangeOfEventsThatIsMadeAnewIsWatchedAgain$"}},
	},
	{
		name: "events-close-channels", breaks: "an exchange that refuses events is left alone for a minute",
		edits:  []edit{{"control.outlet.refused", `o.refusals > 1 || o.link == nil`, `false`}},
		caught: []by{{pkg: "control", test: "^TestAnExchangeThatRefusesIsLeftAloneForAMinuteAndTheLogSaysSoOnce$"}},
	},
	{
		name: "events-share-a-key", breaks: "no two queues have the same key of events",
		edits:  []edit{{"control.EventKey", `hex.EncodeToString(sum[:8])`, `hex.EncodeToString(sum[:0])`}},
		caught: []by{{pkg: "control", test: "^TestKeysAreShortAndNoTwoQueuesHaveTheSame$"}},
	},
	{
		name: "events-silence-the-log", breaks: "an app with events keeps its log",
		edits:  []edit{{"internal/monitors.Group.Monitor", `len(all) == 0`, `len(all)+len(g.Beside) == 0`}},
		caught: []by{{pkg: "internal/monitors", test: "^TestAMonitorBesideOthersLeavesTheLogWhereItIs$"}, {pkg: "control", test: "^TestAnAppWithEventsKeepsItsLog$"}},
	},
	{
		name: "events-obeyed", breaks: "no terminal obeys what is in an event",
		edits:  []edit{{"cmd/bunnicula.eventLines.line", `plain(e.Error)`, `e.Error`}},
		caught: []by{{pkg: "cmd/bunnicula", test: "^TestAnEventIsALineAndWhateverElseComesIsShownWithoutHarm$"}},
	},
	{
		name: "events-interrupted", breaks: "bunnicula events ends by ^C with exit code 0",
		edits:  []edit{{"cmd/bunnicula.app.exit", `a.endless && err == nil`, `false`}},
		caught: []by{{pkg: "cmd/bunnicula", test: "^TestEventsAreShownUntilInterrupted$"}},
	},
	{
		name: "redrive-forgotten", breaks: "a delivery tells how often it was redriven",
		edits:  []edit{{"consumer/internal/decide.told.believe", `wire.Int(h[wire.RedriveCount])`, `0`}},
		caught: []by{{pkg: "consumer", test: "^TestADeliveryTellsHowOftenItWasRedriven$"}, {pkg: "control", test: "^TestWhatConsumersDoIsPublishedAndARedriveHasItsOutcome$"}},
	},
	{
		name: "inflated-without-limit", breaks: "a body inflates to Limits.MaxBytes at most",
		edits: []edit{{"internal/inflate.meter.Read", `*m.left -= n`, `_ = n`}},
		caught: []by{
			{pkg: "internal/inflate", test: "^TestABodyIsInflatedOrTheErrorSaysWhatIsWrongWithIt$"},
			{pkg: "codec", test: "^TestABodyIsDecodedAsItsContentEncodingSays$"},
			{pkg: "errorqueue", test: "^TestABodyWithAnEncodingIsShownDecodedOrWithAWordAboutWhyNot$"},
		},
	},
	{
		name: "outer-layers-not-counted", breaks: "the bytes of all layers of gzip count together",
		edits: []edit{{"internal/inflate.open", `c.last = &meter{layer, &c.left}`, `
			c.last = layer
			if c.open == layers {
				c.last = &meter{layer, &c.left}
			}`}},
		caught: []by{
			{pkg: "internal/inflate", test: "^TestABodyIsInflatedOrTheErrorSaysWhatIsWrongWithIt$"},
			{pkg: "codec", test: "^TestABodyIsDecodedAsItsContentEncodingSays$"},
		},
	},
	{
		name: "limit-for-each-layer", breaks: "the bytes of all layers of gzip count together",
		edits:  []edit{{"internal/inflate.open", `c.last = &meter{layer, &c.left}`, "left := most\nc.last = &meter{layer, &left}"}},
		caught: []by{{pkg: "internal/inflate", test: "^TestABodyIsInflatedOrTheErrorSaysWhatIsWrongWithIt$"}, {pkg: "codec", test: "^TestABodyIsDecodedAsItsContentEncodingSays$"}},
	},
	{
		name: "inflated-into-one-slice", breaks: "a bomb is parked with less than 32 MiB allocated",
		edits: []edit{{"internal/inflate.chain.collect", `pieces = append(pieces, piece)
			piece = append(make([]byte, 0, min(max(total, 4<<10), largest)), into[:n]...)`, `
			_ = largest
			piece = append(append(make([]byte, 0, 2*max(total, 4<<10)), piece...), into[:n]...)`}},
		caught: []by{{pkg: "codec", test: "^TestABodyThatInflatesToAGiBIsParkedWithLessThan32MiB$"}},
	},
	{
		name: "encoding-blamed", breaks: "a failure inside gzip is of one group with that of a plain body",
		edits:  []edit{{"consumer.decodeBody", `inside.Rest`, `body.ContentEncoding`}},
		caught: []by{{pkg: "codec", test: "^TestTheSameFailureIsOneGroupCompressedAndPlain$"}},
	},
	{
		name: "unknown-encoding-passed-on", breaks: "a body in an encoding that nobody undoes is not decoded",
		edits:  []edit{{"codec.gzipCodec.Decode", `e.Unknown != ""`, `e.Unknown != "" && e.Gzip > 0`}},
		caught: []by{{pkg: "codec", test: "^TestABodyIsDecodedAsItsContentEncodingSays$"}},
	},
	{
		name: "decoded-body-imported", breaks: "an import publishes the body as it was parked",
		edits:  []edit{{"errorqueue/internal/archive.line.delivery", `d.Body = l.Bytes`, "$old\nif text, ok := l.Decoded.value.(string); ok {\nd.Body = []byte(text)\n}"}, {"errorqueue/internal/archive.aside.UnmarshalJSON", `return nil`, `return json.Unmarshal(text, &a.value)`}},
		caught: []by{{pkg: "errorqueue/internal/archive", test: "^TestOnlyABodyWithAnEncodingIsInTheFileDecodedToo$"}, {pkg: "codec", test: "^TestACompressedBodyStaysTheSameUntilItIsRedrivenAndDone$"}},
	},
	{
		name: "filters-see-raw-bodies", breaks: "a filter looks into compressed bodies",
		edits:  []edit{{"errorqueue/internal/filter.Matcher.fitsBody", `text, _, _ := inflate.View(msg.Body, msg.ContentEncoding, inflate.ViewMost)`, `text, _, _ := inflate.View(msg.Body, "", inflate.ViewMost)`}},
		caught: []by{{pkg: "errorqueue", test: "^TestABodyWithAnEncodingIsShownDecodedOrWithAWordAboutWhyNot$"}},
	},
	{
		name: "add-without-conflicts", breaks: "no queue has two consumers of one Group",
		edits:  []edit{{"consumer.roster.admit", `r.conflict(m)`, `error(nil)`}},
		caught: []by{{pkg: "consumer", test: "^TestAddRefusesWhatStandsInTheWayOfAConsumerOfTheGroup$"}, {pkg: "consumer", test: "^TestOfManyAddsOfOneQueueAtOnceOneWins$"}, memberships},
	},
	{
		name: "handler-waits-for-its-removal", breaks: "a handler does not wait for the removal of its own consumer",
		edits:  []edit{{"consumer.roster.leave", `within == &meant[0].c.spec`, `within != nil && false`}},
		caught: []by{{pkg: "consumer", test: "^TestAHandlerIsToldThatItCannotWaitForItsOwnRemoval$"}},
	},
	{
		name: "remove-without-stop", breaks: "a consumer that was removed takes no more messages",
		edits:  []edit{{"consumer.Group.remove", `return m.c.Stop(ctx)`, `return nil`}},
		caught: []by{{pkg: "consumer", test: "^TestAConsumerThatIsAddedHandlesItsMessagesUntilItIsRemovedAndAfterItIsAddedAgain$"}, memberships},
	},
	{
		name: "stop-forgets-adds", breaks: "a Stop ends the Adds that wait for a broker",
		edits:  []edit{{"consumer.roster.stop", `slices.Clone(r.members)`, `r.in(inGroup)`}},
		caught: []by{{pkg: "consumer", test: "^TestAStopDuringAddsNeitherHangsNorLeavesAConsumer$"}},
	},
	{
		name: "added-after-stop", breaks: "an Add that ends during a Stop leaves nothing running",
		edits:  []edit{{"consumer.roster.join", `r.phase == over`, `false`}, {"consumer.roster.stop", `slices.Clone(r.members)`, `r.in(inGroup)`}},
		caught: []by{memberships},
	},
	{
		name: "queue-free-before-handlers-end", breaks: "a queue can be added again when Remove has returned, and not before",
		edits:  []edit{{"consumer.Group.remove", `defer g.roster.drop(m)`, `g.roster.drop(m)`}},
		caught: []by{{pkg: "consumer", test: "^TestOfManyRemovesAtOnceOneWinsAndTheQueueIsFreeWhenItReturns$"}},
	},
	{
		name: "added-before-it-has-started", breaks: "a consumer that is being added makes no app unready",
		edits:  []edit{{"consumer.roster.admit", `m.state = joining`, `m.state = inGroup`}},
		caught: []by{{pkg: "consumer", test: "^TestAConsumerThatIsBeingAddedIsNotInTheGroupYet$"}},
	},
	{
		name: "adds-unbounded", breaks: "at most sixteen consumers of a connection start at once",
		edits:  []edit{{"consumer.Group.start", `g.turns.start(ctx, m.c)`, `m.c.Start(ctx)`}},
		caught: []by{{pkg: "consumer", test: "^TestAtMostSixteenConsumersOfOneConnectionStartAtOnce$"}},
	},
	{
		name: "batch-acks-unnamed", breaks: "a batch acks no message for which its function gave no Result",
		edits:  []edit{{"use.answers", `consumer.Retry(err)`, `consumer.Ack()`}},
		caught: []by{{pkg: "use", test: "^TestResultsThatCannotBeTheMessagesOwnAreRetries$"}, {pkg: "use", test: "^TestWhateverHappensEachMessageHasItsOwnResult$"}},
	},
	{
		name: "batch-not-compared", breaks: "a function that sorts the messages it is given acks none of them",
		edits:  []edit{{"use.batch.mismatch", `s.at >= 0`, `s.at > len(own.seats)`}},
		caught: []by{{pkg: "use", test: "^TestResultsThatCannotBeTheMessagesOwnAreRetries$"}},
	},
	{
		name: "reordered-under-one-id", breaks: "a message gets no Result of another that has the same id",
		edits:  []edit{{"use.batch.moved", `isSame(d.Body, other.body)`, `false`}},
		caught: []by{{pkg: "use", test: "^TestMessagesWithOneIDGetTheirOwnResultsToo$"}},
	},
	{
		name: "batch-shares-results", breaks: "the function of a batch may use its results again",
		edits:  []edit{{"use.answers", `copy(results, said)`, `results = said`}},
		caught: []by{{pkg: "use", test: "^TestAFunctionMayUseItsResultsAgain$"}},
	},
	{
		name: "batch-result-of-another", breaks: "each message of a batch gets its own Result, although others have left",
		edits:  []edit{{"use.batch.result", `own.seats[i].at`, `i % len(own.results)`}},
		caught: []by{{pkg: "use", test: "^TestWhateverHappensEachMessageHasItsOwnResult$"}},
	},
	{
		name: "batch-keeps-who-left", breaks: "a message that has left a batch is not handled in it",
		edits:  []edit{{"use.batcher.begin", `own.seats[i].left`, `own.seats[i].left && i < 0`}},
		caught: []by{{pkg: "use", test: "^TestABatchWhoseFirstMessageLeavesGoesOn$"}, {pkg: "use", test: "^TestWhateverHappensEachMessageHasItsOwnResult$"}},
	},
	{
		name: "batch-without-a-leader", breaks: "a batch goes on when its first message leaves",
		edits:  []edit{{"use.batcher.resign", `own.count > 0`, `own.count > 3`}},
		caught: []by{{pkg: "use", test: "^TestABatchWhoseFirstMessageLeavesGoesOn$"}},
	},
	{
		name: "batch-panic-acked", breaks: "a panic of a batch is one of each message",
		edits:  []edit{{"use.batch.result", `panic(own.failure)`, `return consumer.Ack()`}},
		caught: []by{{pkg: "use", test: "^TestAPanicIsThatOfAllInTheBatch$"}, {pkg: "use", test: "^TestWhateverHappensEachMessageHasItsOwnResult$"}},
	},
	{
		name: "batch-waits-for-wait", breaks: "a batch waits for a quarter of the time that its handlers have, and 5 s, at most",
		edits:  []edit{{"use.batcher.join", `min(b.wait, slots.Patience(ctx))`, `b.wait+0*slots.Patience(ctx)`}},
		caught: []by{{pkg: "use", test: "^TestABatchRunsWhenItIsFullOrItsWaitIsOver$"}, {pkg: "use", test: "^TestABatchWaitsFiveSecondsAtMost$"}},
	},
	{
		name: "batch-waits-in-vain", breaks: "a batch does not wait when all slots are in batches",
		edits:  []edit{{"use.batcher.join", `b.inside == slots`, `slots < 0`}},
		caught: []by{{pkg: "use", test: "^TestABatchRunsWhenItIsFullOrItsWaitIsOver$"}, {pkg: "use", test: "^TestTheRestOfTheSlotsDoesNotWaitForABatchThatRuns$"}},
	},
	{
		name: "batch-warns-each-time", breaks: "a batch above the Concurrency is warned of once",
		edits:  []edit{{"use.batcher.look", `!b.looked.CompareAndSwap(false, true)`, `b.looked.Load()`}},
		caught: []by{{pkg: "use", test: "^TestABatchAboveTheConcurrencyIsWarnedOfOnce$"}},
	},
	{
		name: "batch-ignores-hold", breaks: "with Hold no message of a batch is retried while its function runs",
		edits:  []edit{{"use.batcher.leave", `consumer.Holds(ctx)`, `false`}},
		caught: []by{{pkg: "use", test: "^TestAConsumerThatHoldsMessagesHoldsAllOfABatch$"}},
	},
	{
		name: "batch-stop-uses-attempts", breaks: "a stop interrupts all messages of a batch, and uses no attempt",
		edits:  []edit{{"use.batcher.handle", `own.stopping`, `false`}},
		caught: []by{{pkg: "use", test: "^TestAStopInterruptsABatch$"}},
	},
	{
		name: "batch-not-told", breaks: "the function of a batch is told that a message is cancelled",
		edits:  []edit{{"use.batcher.leave", `cancel(why)`, `_ = cancel`}},
		caught: []by{{pkg: "use", test: "^TestAMessageThatIsCancelledTakesTheBatchWithIt$"}},
	},
	{
		name: "types-not-copied", breaks: "a ByType that is changed later has no effect",
		edits:  []edit{{"use.ByType.Handler", `maps.Clone(b)`, `b`}},
		caught: []by{{pkg: "use", test: "^TestAMapThatIsChangedLaterHasNoEffect$"}},
	},
	{
		name: "type-without-handler-acked", breaks: "a message of a type without a Handler is parked",
		edits:  []edit{{"use.ByType.Handler", `return consumer.Error(fmt.Errorf("use.ByType: no Handler for type %s, only for %s", foreign.Word(d.Type), known))`, `_, _ = known, foreign.Word; return consumer.Ack()`}},
		caught: []by{{pkg: "use", test: "^TestEachTypeHasItsHandler$"}},
	},
	{
		name: "invalid-handler-accepted", breaks: "New refuses a Handler that cannot work",
		edits:  []edit{{"consumer.Handler.Check", `codeOf(h) == codeOfInvalid`, `false`}},
		caught: []by{{pkg: "consumer", test: "^TestNewRefusesAnInvalidHandlerWithItsError$"}, {pkg: "use", test: "^TestNewRefusesABatchThatCannotBe$"}},
	},
	{
		name: "lost-image-unseen", breaks: "examples/images notices a request that is neither done nor parked",
		edits:  []edit{{"examples/images.Account.one", `a.check(false, r.ID, "it is lost: neither done nor parked")`, `_ = 0`}},
		caught: []by{{pkg: "examples/images", test: "^TestWhatDoesNotAddUpIsFound$"}},
	},
	{
		name: "image-bomb", breaks: "examples/images decodes no picture with too many pixels",
		edits:  []edit{{"examples/images.decode", `head.Width > maxPixels || head.Height > maxPixels/max(head.Width, 1)`, `false`}},
		caught: []by{{pkg: "examples/images", test: "^TestABombOfPixelsIsNotDecoded$"}},
	},
	{
		name: "image-in-pieces", breaks: "a result of examples/images is whole as soon as it has its name",
		edits:  []edit{{"examples/images.Results.IDs", `!strings.HasPrefix(f.Name(), partial)`, `true`}},
		caught: []by{{pkg: "examples/images", test: "^TestAFileThatIsNotWholeIsNoResult$"}},
	},
	{
		name: "outbox-deletes-unconfirmed", breaks: "a row is deleted before the broker has confirmed its message",
		edits:  []edit{{"outbox.await", "", "\nselect { case <-c.Done(): return c.Err(); default: return nil }\n"}},
		caught: []by{{pkg: "outbox", test: "^TestAStopWithoutTimeLeavesNothingTaken$/^sqlite$"}},
	},
	{
		name: "outbox-cursor", breaks: "a relay goes on behind the last row that it has taken, although others commit later",
		edits: []edit{
			{"outbox.postgres", "", "$old\ncursor, top int64\n"},
			{"outbox.postgres.take", `h := &haul{settler: &locked{tx: tx, ctx: open, cancel: cancel}}`, "p.cursor = p.top\n$old"},
			{"outbox.postgres.read", `h.add(&r, key, place)`, "if r.seq > p.cursor {\np.top = max(p.top, r.seq)\n$old\n}\n"},
		},
		caught: []by{{pkg: "outbox", test: "^TestARowThatIsCommittedAfterLaterOnesIsPublished$"}},
	},
	{
		name: "outbox-mark-outside", breaks: "Once marks a message outside the transaction of its handler",
		edits:  []edit{{"outbox.Box.mark", `h.unit.QueryRow`, `tx.Of(b.db).QueryRow`}},
		caught: []by{{pkg: "outbox", test: "^TestOnceOnSQLite$/^only_an_Ack_commits$"}},
	},
	{
		name: "outbox-acks-uncommitted", breaks: "Once acks a message although its commit has failed",
		edits:  []edit{{"outbox.handling.run", `consumer.Retry(uncommitted(ctx, err))`, `r`}},
		caught: []by{{pkg: "outbox", test: "^TestACommitThatFailsIsNoAck$"}},
	},
	{
		name: "outbox-puts-beside", breaks: "a row is written outside the transaction of its Put",
		edits:  []edit{{"outbox.Box.PutInside", `b.insert(ctx, in, &s, props, state)`, `b.insert(ctx, tx.Of(b.db), &s, props, state)`}},
		caught: []by{{pkg: "outbox", test: "^TestAMessageIsWrittenIfTheTransactionCommitsAndNotIfItIsRolledBack$/^postgres$"}},
	},
	{
		name: "outbox-overtakes", breaks: "a row is published although one before it in its key is not",
		edits:  []edit{{"outbox.sqlite.keyed", `return false, err`, `return true, err`}},
		caught: []by{{pkg: "outbox", test: "^TestARowThatIsRefusedBacksOffHoldsItsKeyAndFailsInTheEnd$"}},
	},
	{
		name: "outbox-settles-without-lease", breaks: "a relay that has lost its lease settles rows that another one has taken",
		edits:  []edit{{"outbox.inHand.write", `n == 0`, `n < 0`}},
		caught: []by{{pkg: "outbox", test: "^TestWhoLostTheLeaseSettlesNothing$"}},
	},
	{
		name: "outbox-once-however-old", breaks: "Once handles a message whose mark may be gone",
		edits:  []edit{{"outbox.Box.refuse", `age > b.cfg.Keep`, `false`}},
		caught: []by{{pkg: "outbox", test: "^TestOnceOnSQLite$/^a_message_of_unknown_age_or_identity_is_parked$"}},
	},
	{
		name: "simulation-forgets-a-key", breaks: "a second binding of a queue is none",
		edits:  []edit{{"internal/simulated.Broker.bind", `!slices.ContainsFunc(x.bindings, bind.is)`, `len(x.bindings) == 0`}},
		caught: []by{{pkg: "internal/simulated", test: "^TestTheSimulationDoesAsWritten$/./0s/a_queue_may_have_several_keys"}},
	},
	{
		name: "simulation-without-locks", breaks: "an exclusive queue is anybody's",
		edits:  []edit{{"internal/simulated.Broker.find", `q.owner != nil && q.owner != by`, `false`}},
		caught: []by{{pkg: "internal/simulated", test: "^TestTheSimulationDoesAsWritten$/./0s/an_exclusive_queue"}},
	},
	{
		name: "simulation-shares-bodies", breaks: "a handler that changes a body changes what is delivered again",
		edits:  []edit{{"internal/simulated.message.delivery", `bodyRead(m.Body)`, `m.Body`}},
		caught: []by{{pkg: "internal/simulated", test: "^TestTheSimulationDoesAsWritten$/./0s/each_delivery"}},
	},
	{
		name: "simulation-believes-deaths", breaks: "a client's x-death is counted on",
		edits:  []edit{{"internal/simulated.queue.dead", `!m.died && q.broker.Version != RabbitMQ3`, `false`}},
		caught: []by{{pkg: "internal/simulated", test: "^TestTheSimulationDoesAsWritten$/./0s/from_4.0_on_a_client"}},
	},
	{
		name: "simulation-never-tires", breaks: "an app that publishes to itself without end keeps Settle waiting for ever",
		edits:  []edit{{"internal/simulated.strain.frame", `s.frames <= busy`, `s.frames > 0`}},
		caught: []by{{pkg: "brokertest", test: "^TestSettleFailsOnAnApp", args: []string{"-test.timeout=20s"}}},
	},
	{
		name: "settled-while-unacked", breaks: "a flow is settled while a handler runs",
		edits:  []edit{{"brokertest.Broker.unsettled", `s != (Status{})`, `s != (Status{Unacked: s.Unacked})`}},
		caught: []by{{pkg: "brokertest", test: "^TestSettleWaitsForHandlersAndForRetries$"}},
	},
	{
		name: "standstill-unsaid", breaks: "a bubble that waits for the world outside is told of",
		edits:  []edit{{"brokertest.standstill.watch", `now == last`, `now < last`}},
		caught: []by{{pkg: "brokertest", test: "^TestABubbleThatWaitsForTheWorldOutsideIsToldOf$"}},
	},
	{
		name: "killed-process-acts", breaks: "a process that was killed still acks",
		edits:  []edit{{"brokertest.Process.Kill", `p.broker.site.kill(conn)`, `_ = conn`}},
		caught: []by{{pkg: "brokertest", test: "^TestAKilledProcessIsSilent$"}},
	},
	{
		name: "named-connections-are-real", breaks: "connection.Named leads to the test's broker",
		edits:  []edit{{"connection.Named", `stand != nil`, `false`}},
		caught: []by{{pkg: "brokertest", test: "^TestNamedConnectionsHealthAndMetricsAreTheBrokersToo$"}},
	},
	{
		name: "partition-subscribed-twice", breaks: "one process at a time handles the messages of a partition",
		edits: []edit{
			{"consumer.Partitioned", `s.SingleActive, s.Concurrency = true, 1`, `s.SingleActive, s.Concurrency = false, 1`},
			{"consumer.Spec.checkMember", `!s.SingleActive || s.Concurrency != 1`, `s.Concurrency != 1`},
		},
		caught: []by{model("consumer", "^TestWhateverHappensMessagesOfOneKeyKeepTheirOrder$")},
	},
	{
		name: "handler-begins-in-a-stop", breaks: "no message overtakes one whose handler gives up because of a stop",
		edits:  []edit{{"consumer.wanted.workers", `w.stopping`, `false`}},
		caught: []by{{pkg: "consumer", test: "^TestNoHandlerBeginsWhenHandlersKnowOfAStop$"}},
	},
	{
		name: "park-unconfirmed", breaks: "the next message of a partition begins when the one before it is confirmed in the error queue",
		edits:  []edit{{"consumer.inTurn.begin", `t.pool.gate.closed.Store(true)`, `_ = t.pool`}},
		caught: []by{{pkg: "consumer", test: "^TestTheNextMessageOfAPartitionWaitsUntilTheOneBeforeIsParked$"}},
	},
	{
		name: "in-place-copies", breaks: "InPlace tries again where the message is, and makes no copy",
		edits:  []edit{{"use.try.call", `t.result.Retried() && left > 0 && fits(ctx, t.pause)`, `false`}},
		caught: []by{{pkg: "use", test: "^TestInPlaceTriesAgainWhereTheMessageIs$"}, {pkg: "consumer", test: "^TestAParkedMessageLetsItsPartitionGoOn$"}},
	},
	{
		name: "in-place-outlasts-a-stop", breaks: "a stop ends a pause of InPlace, and the message keeps its place",
		edits:  []edit{{"use.try.wait", `consumer.Stopping(ctx)`, `(<-chan struct{})(nil)`}},
		caught: []by{{pkg: "consumer", test: "^TestAStopDuringAPauseKeepsThePlaceOfTheMessage$"}},
	},
	{
		name: "pause-forgotten-by-a-restart", breaks: "a process that was restarted comes up paused",
		edits:  []edit{{"control.reader.fold", `r.ledger.fold(all, r.soon())`, `r.ledger.fold(all[:0], r.soon())`}},
		caught: []by{{pkg: "control", test: "^TestAPauseHoldsOverARestartAndEndsByItself$"}, {pkg: "control", test: "^TestNothingIsHandledBeforeTheOrdersAreKnown$"}},
	},
	{
		name: "copy-of-an-order-beats-a-newer-one", breaks: "an order that is written again does not beat a newer one",
		edits:  []edit{{"control.book.add", `r.Again && (rank{seq, r.ID}).below(known.rank())`, `r.Again && false`}},
		caught: []by{{pkg: "control", test: "^TestARecordThatWasWrittenAgainDoesNotBeatANewerOrder$"}, {pkg: "control", test: "^TestAnyInterleavingOfWhatIsWrittenAgainHasOneWinner$"}},
	},
	{
		name: "seq-not-raised", breaks: "the order that comes last counts, whatever its writer knew",
		edits:  []edit{{"control.book.add", `min(max(seq, b.high+1), maxSeq)`, `seq`}},
		caught: []by{{pkg: "control", test: "^TestContradictingOrdersWithOneSeqHaveOneWinner$"}, {pkg: "control", test: "^TestAnyInterleavingOfWhatIsWrittenAgainHasOneWinner$"}},
	},
	{
		name: "late-answer-not-waited-for", breaks: "an order is waited for in processes whose answer to the ask came late",
		edits:  []edit{{"control.inquiry.take", `len(concernedOf([]Process{a.Process}, q.targets)) > 0`, `false`}},
		caught: []by{{pkg: "control", test: "^TestAnOrderWaitsForAllOfWhomItKnowsThatTheyAreConcerned$"}},
	},
	{
		name: "consumer-before-its-order", breaks: "no consumer starts before its order is known",
		edits:  []edit{{"control.ledger.enter", `hold && !l.isKnown()`, `false`}},
		caught: []by{{pkg: "control", test: "^TestNothingIsHandledBeforeTheOrdersAreKnown$"}, {pkg: "control", test: "^TestAConsumerWorksWhenTheAgentsPatienceEnds$"}},
	},
	{
		name: "standing-order-not-written-again", breaks: "a standing order outlives the age of the stream",
		edits:  []edit{{"control.scribe.after", `s.maxAge/2 + time.Duration(h.Sum32()%1000)*(s.maxAge/4)/1000`, `100*s.maxAge`}},
		caught: []by{{pkg: "control", test: "^TestAPauseOutlivesTheAgeOfTheStream$"}},
	},
	{
		name: "order-by-any-exchange", breaks: "only who may write to the exchange of orders gives them",
		edits:  []edit{{"control.reader.parse", `rec.Exchange != r.stream`, `false`}},
		caught: []by{{pkg: "control", test: "^TestAnOrderByAnotherExchangeIsIgnored$"}},
	},
	{
		name: "resumed-partition-forgotten", breaks: "a new stream says which partitions were resumed under a pause of their queue",
		edits:  []edit{{"control.ledger.fold", `l.book.kept(now)`, `l.book.standing(now)`}},
		caught: []by{{pkg: "control", test: "^TestInADeletedStreamAPartitionThatWasResumedIsNotForgotten$"}},
	},
	{
		name: "answer-to-any-address", breaks: "who asks cannot have an answer put into a queue",
		edits:  []edit{{"control.reader.see", `isReply(rec.ReplyTo)`, `rec.ReplyTo != ""`}},
		caught: []by{{pkg: "control", test: "^TestWhoAsksCannotEndAConnectionOfTheAppNorWriteToItsQueues$"}},
	},
	{
		name: "job-counts-reports", breaks: "a report that is written twice changes nothing",
		edits:  []edit{{"internal/jobtree.Tree.done", `at.node.reported = true`, `at.node.reported = said.path.IsStart()`}},
		caught: []by{{pkg: "internal/jobtree", test: "^TestADrawnJobIsCompleteWithItsLastReport$"}},
	},
	{
		name: "job-takes-extras", breaks: "what only a failed attempt has emitted completes no job",
		edits:  []edit{{"internal/jobtree.Tree.done", `at.promised`, `true`}},
		caught: []by{{pkg: "internal/jobtree", test: "^TestKeyedChildrenOfAFailedAttemptDoNotCompleteTheJob$"}},
	},
	{
		name: "job-forgets-a-larger-report", breaks: "a job waits for what only the second attempt has emitted",
		edits:  []edit{{"internal/jobtree.Tree.promiseChildren", `said.n > n.n`, `said.n > n.n && n.n == 0`}},
		caught: []by{{pkg: "internal/jobtree", test: "^TestALargerSecondReportOfANodeThatWasDoneIsWaitedFor$"}},
	},
	{
		name: "console-lets-in-without-right", breaks: "a page is for who has the right that its route needs",
		edits:  []edit{{"console.route.denied", `u.may(r.right, queue)`, `(true || $old)`}},
		caught: []by{{pkg: "console", test: "^TestEachRouteIsForWhomTheMatrixSays$"}},
	},
	{
		name: "console-orders-for-others", breaks: "an order is for consumers whose queues the viewer may move",
		edits:  []edit{{"console.answer.refuseNames", `!a.user.mayOrder(Move, m, name)`, `false && $old`}},
		caught: []by{{pkg: "console", test: "^TestOnlyWhoMayMoveAllThatAnOrderConcernsMayGiveIt$"}},
	},
	{
		name: "console-tells-what-runs", breaks: "ids and stacks of what runs are for who may read messages",
		edits:  []edit{{"console.answer.handlers", `!a.user.may(Read, queue)`, `false && $old`}},
		caught: []by{{pkg: "console", test: "^TestAConsumersPageShowsItsQueuesAndWhatRuns$"}},
	},
	{
		name: "console-asks-each-time", breaks: "all viewers share one question to the fleet in 5 s",
		edits:  []edit{{"console.musters.look", `!fresh`, `(true || $old)`}},
		caught: []by{{pkg: "console", test: "^TestAllViewersShareOneQuestionInFiveSeconds$"}},
	},
	{
		name: "console-trusts-everybody", breaks: "headers of proxies count from those that are trusted alone",
		edits:  []edit{{"console.Config.receive", `c.trusts(peer)`, `(true || $old)`}},
		caught: []by{{pkg: "console", test: "^TestForgedHeadersOfSomebodyElseChangeNothing$"}},
	},
	{
		name: "console-trusts-the-first", breaks: "who a request is from is the last address that is no trusted proxy's",
		edits:  []edit{{"console.Config.client", `!c.trusts(peer)`, `false && $old`}},
		caught: []by{{pkg: "console", test: "^TestTheHeadersOfATrustedProxyCount$"}},
	},
	{
		name: "console-tries-for-ever", breaks: "an address that is wrong too often has to wait",
		edits:  []edit{{"console.throttle.take", `left.left < 1`, `false && $old`}},
		caught: []by{{pkg: "console", test: "^TestAnAddressThatIsWrongTooOftenHasToWait$"}},
	},
	{
		name: "console-streams-without-end", breaks: "answers that stay open have a limit",
		edits:  []edit{{"console.streams.enter", `s.all >= streamsMost || s.of[viewer] >= streamsEach`, `false && ($old)`}},
		caught: []by{{pkg: "console", test: "^TestManyBrowsersShareOneReadingAndOneLook$"}},
	},
	{
		name: "console-reads-again", breaks: "an error queue that has not changed is not read again",
		edits:  []edit{{"console/internal/snapshot.state.begins", `s.depth != s.of`, `(true || $old)`}},
		caught: []by{{pkg: "console/internal/snapshot", test: "^TestWhatAReadingDoesNext$"}},
	},
	{
		name: "console-keeps-all", breaks: "snapshots that are dropped give their memory back",
		edits:  []edit{{"console/internal/snapshot.Snapshot.drop", `s.memory.give(s.bytes)`, `_ = s.bytes`}},
		caught: []by{{pkg: "console/internal/snapshot", test: "^TestTwentyPassesTakeNoMoreThanOne$"}},
	},
	{
		name: "console-truncates-the-next", breaks: "an earlier snapshot makes room for the rows of the next one",
		edits:  []edit{{"console/internal/snapshot.Snapshot.add", `full && s.makeRoom()`, `false && $old`}},
		caught: []by{{pkg: "console/internal/snapshot", test: "^TestEarlierSnapshotsMakeRoom$"}},
	},
	{
		name: "console-kinds-alone", breaks: "a row of a kind that the filter may choose is not chosen for that alone",
		edits:  []edit{{"console/internal/snapshot.view.matching", `matcher.Matches(&m)`, `($old || true)`}},
		caught: []by{{pkg: "console/internal/snapshot", test: "^TestFindChoosesWhatTheFilterChoosesOfTheMessages$"}},
	},
	{
		name: "console-marks-nothing", breaks: "a filter finds a row by its mark",
		edits:  []edit{{"console/internal/snapshot.view.matching", `len(f.Marks) > 0`, `false && $old`}},
		caught: []by{{pkg: "console/internal/snapshot", test: "^TestFindChoosesWhatTheFilterChoosesOfTheMessages$"}},
	},
	{
		name: "console-spool-with-a-name", breaks: "the spool is gone with its process",
		edits:  []edit{{"console/internal/snapshot.newSpool", `os.Remove(s.name) == nil`, `false`}},
		caught: []by{{pkg: "console/internal/snapshot", test: "^TestASpoolIsForItsUserAndGoneAtItsEnd$"}},
	},
	{
		name: "console-keeps-what-panicked", breaks: "nothing is kept of a message over which Redact panics",
		edits:  []edit{{"console/internal/snapshot.redactor.redact", `*m = errorqueue.Message{Error: "withheld: Redact panicked"}`, `_ = m`}},
		caught: []by{{pkg: "console/internal/snapshot", test: "^TestNothingIsKeptOfAMessageOverWhichRedactPanics$"}},
	},
	{
		name: "operation-unwritten", breaks: "an operation whose intent cannot be written does nothing",
		edits:  []edit{{"console/internal/operation.Runner.Start", `r.write(o)`, `error(nil)`}},
		caught: []by{{pkg: "console/internal/operation", test: "^TestAFullDiskRefusesOperationsAndNothingIsDone$"}},
	},
	{
		name: "operation-unsynced", breaks: "the intent is on the disk before the call",
		edits:  []edit{{"console/internal/operation.Runner.write", `r.journal.Append(line{ID: i.ID, At: i.At, Intent: &i}, true)`, `r.journal.Append(line{ID: i.ID, At: i.At, Intent: &i}, false)`}},
		caught: []by{{pkg: "console/internal/operation", test: "^TestAFullDiskRefusesOperationsAndNothingIsDone$"}},
	},
	{
		name: "operation-again", breaks: "an operation that was done is not done again",
		edits:  []edit{{"console/internal/operation.Runner.reserve", `r.known[id] != nil`, `false`}},
		caught: []by{{pkg: "console/internal/operation", test: "^TestAnIDIsUsedOnceAlsoAfterARestart$"}},
	},
	{
		name: "operation-side-by-side", breaks: "a queue has one operation at a time",
		edits:  []edit{{"console/internal/operation.Runner.reserve", `r.on[queue] != nil`, `false`}},
		caught: []by{{pkg: "console/internal/operation", test: "^TestAQueueHasOneOperationAtATime$"}},
	},
	{
		name: "operation-done-by-a-kill", breaks: "an operation without an end is interrupted",
		edits:  []edit{{"console/internal/operation.history.take", `Interrupted`, `Done`}},
		caught: []by{{pkg: "console/internal/operation", test: "^TestAnIntentWithoutAnEndIsInterrupted$"}},
	},
	{
		name: "operation-beyond-its-copy", breaks: "what is not in the copy is left alone",
		edits:  []edit{{"console/internal/operation.call.copy", `c.marks, c.most = marks, n`, `c.most = n`}},
		caught: []by{{pkg: "console/internal/operation", test: "^TestWhatIsNotInTheCopyIsLeftAlone$"}},
	},
	{
		name: "operation-unchecked-copy", breaks: "nothing moves without a whole copy",
		edits:  []edit{{"console/internal/operation.call.file", `report.Messages != n`, `false`}},
		caught: []by{{pkg: "console/internal/operation", test: "^TestNothingMovesWithoutAWholeCopy$"}},
	},
	{
		name: "operation-two-processes", breaks: "a directory belongs to one process",
		edits:  []edit{{"console/internal/operation.lockDir", `f == nil`, `false`}},
		caught: []by{{pkg: "console/internal/operation", test: "^TestASecondRunnerOfADirectoryIsRefused$"}},
	},
	{
		name: "operation-half-a-line", breaks: "a line that cannot be written is not in the file",
		edits:  []edit{{"console/internal/lines.File.Append", `f.disk.Truncate(f.size)`, `error(nil)`}},
		caught: []by{{pkg: "console/internal/lines", test: "^TestALineThatCannotBeWrittenIsNotThere$"}},
	},
	{
		name: "audit-unwritten", breaks: "an action without an entry is refused",
		edits:  []edit{{"console/internal/audit.Log.keep", `return fmt.Errorf("audit: %w", err)`, `return nil`}},
		caught: []by{{pkg: "console/internal/audit", test: "^TestAnEntryThatCannotBeWrittenIsAnError$"}},
	},
	{
		name: "console-any-host", breaks: "a page elsewhere does not read the console by its own name",
		edits:  []edit{{"console.answer.checkHost", `slices.Contains(hosts, hostOf(a.r.Host))`, `!slices.Contains(hosts, "")`}},
		caught: []by{{pkg: "console", test: "^TestAConsoleWithoutConfigurationIsForThisMachineAlone$"}},
	},
	{
		name: "console-token-again", breaks: "a link logs in once",
		edits:  []edit{{"console.Login.use", `delete(l.tokens, digest)`, ``}},
		caught: []by{{pkg: "console", test: "^TestALinkLogsInOnceWithinTenMinutes$"}},
	},
	{
		name: "console-unsigned", breaks: "a cookie that was not signed here is refused",
		edits:  []edit{{"console.Login.identify", `subtle.ConstantTimeCompare(l.sign(key, raw[:size:size]), raw) != 1`, `subtle.ConstantTimeCompare(raw, raw) != 1`}},
		caught: []by{{pkg: "console", test: "^TestACookieOfAnotherKeyIsRefused$"}},
	},
	{
		name: "console-for-ever", breaks: "a login ends after 12 hours",
		edits:  []edit{{"console.Login.identify", `time.Now().Unix() >= int64(binary.BigEndian.Uint64(raw[:size]))`, `false`}},
		caught: []by{{pkg: "console", test: "^TestALinkLogsInOnceWithinTenMinutes$"}},
	},
	{
		name: "console-see-is-read", breaks: "who may only see does not read messages",
		edits:  []edit{{"console.route.denied", `u.may(r.right, queue)`, `u.may(See, queue)`}},
		caught: []by{{pkg: "console", test: "^TestWhatAUserMayNotSeeIsNotShown$"}},
	},
	{
		name: "console-asked-by-anybody", breaks: "a link of another site begins no reading",
		edits:  []edit{{"console.answer.asked", `a.r.Header.Get("Sec-Fetch-Site")`, `""`}},
		caught: []by{{pkg: "console", test: "^TestOnlyALinkOfOursBeginsAReading$"}},
	},
	{
		name: "console-controls", breaks: "control and bidirectional characters of others are dots",
		edits:  []edit{{"console.view.Line", `foreign.Line(text, 300)`, `text`}},
		caught: []by{{pkg: "console", test: "^TestTextsOfMessagesMakeNoElementsAndNoAttributes$"}},
	},
}
