package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

func TestSharingTellsTheSpeedOfAllAndWhoHadTheLeast(t *testing.T) {
	began := time.Unix(1000, 0)
	after := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	got := sharing(began, []tally{
		{Handled: 150, Last: after(1), CPU: 2 * time.Second},
		{Handled: 50, Last: after(2), CPU: time.Second},
		{Handled: 100, Last: after(0.5), CPU: time.Second},
	})
	for m, want := range map[turn.Metric]float64{turn.Rate: 150, turn.LeastShare: 0.5, turn.MostShare: 1.5, turn.ClientCPU: 4.0 / 300 * 100_000} {
		if math.Abs(got[m]-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", m, got[m], want)
		}
	}
	idle := sharing(began, []tally{{Handled: 10, Last: after(1)}, {}})
	if idle[turn.LeastShare] != 0 || idle[turn.MostShare] != 2 {
		t.Errorf("beside a child that had nothing: %v", idle)
	}
	if nothing := sharing(began, make([]tally, 2)); len(nothing) != 0 {
		t.Errorf("of nothing: %v", nothing)
	}
}

// A child waits for its word to begin, tells what it has handled, and ends with its stdin.
func TestAChildObeysItsStdin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, word := io.Pipe()
		var said bytes.Buffer
		c := &child{began: make(chan struct{})}
		ended := make(chan error, 1)
		go func() { ended <- c.obey(t.Context(), in, &said) }()
		time.Sleep(time.Minute)
		select {
		case <-c.began:
			t.Error("it has begun without a word")
		default:
		}
		if _, err := word.Write([]byte{'\n'}); err != nil {
			t.Fatal(err)
		}
		c.wait()
		c.count()
		c.count()
		at := time.Now()
		time.Sleep(time.Minute) // in which it says nothing new
		c.count()
		time.Sleep(time.Second)
		word.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		var all []tally
		for decoder := json.NewDecoder(&said); ; {
			var s tally
			if decoder.Decode(&s) != nil {
				break
			}
			all = append(all, s)
		}
		if len(all) != 3 || all[0].Handled != 0 || all[1].Handled != 2 || !all[1].Last.Equal(at) || all[2].Handled != 3 {
			t.Errorf("it said %+v", all)
		}
	})
}

func TestAChildWithoutAWordEnds(t *testing.T) {
	c := &child{began: make(chan struct{})}
	if err := c.obey(t.Context(), strings.NewReader(""), io.Discard); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want %v", err, io.EOF)
	}
	c.wait() // its handlers end too
}

func TestSeveralProcessesShareAQueue(t *testing.T) {
	r := testRunner(t)
	w, _ := findCase("processes-4")
	c, err := r.playCase(t.Context(), variant{workload: w, QueueType: mainType, Size: mainSize, Count: 2000}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Sides {
		one := s.Rounds[0]
		if one[turn.Rate] <= 0 || one[turn.ClientCPU] <= 0 || one[turn.LeastShare] > 1 || one[turn.MostShare] < 1 {
			t.Errorf("%s: %v", s.Name, one)
		}
	}
}

// The other children are not waited for when one cannot begin.
func TestAChildThatFailsEndsItsSide(t *testing.T) {
	w, _ := findCase("processes-4")
	for _, s := range w.Sides {
		_, err := play(t.Context(), program(t), turn.Order{Case: w.Name, Side: s.Name, URL: "amqp://127.0.0.1:1/", Count: 1, Within: 3 * time.Second})
		if err == nil || !strings.Contains(err.Error(), "a child has ended before its subscription") {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}
