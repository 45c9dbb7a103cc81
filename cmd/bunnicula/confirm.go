package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// mayChange refuses a change if --read-only is given.
func (a *app) mayChange(what string) error {
	if a.readOnly {
		return &exitError{exitRefused, fmt.Errorf("%s: refused, because of --read-only", what)}
	}
	return nil
}

// canAsk refuses early, before work that takes a while, if no confirmation will be possible later.
func (a *app) canAsk(yes bool) error {
	if !yes && !a.asks {
		return &exitError{exitRefused, errors.New("not done: there is no terminal to ask at, say --yes")}
	}
	return nil
}

// confirm asks the person at the terminal. Without a terminal --yes must be given.
func (a *app) confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	return a.ask(question+" [y/N]", func(answer string) bool {
		answer = strings.ToLower(answer)
		return answer == "y" || answer == "yes"
	})
}

// confirmTyped makes the person type a name, before a change that cannot be undone.
func (a *app) confirmTyped(question, name string) error {
	return a.ask(fmt.Sprintf("%s Type %s to do it:", question, name), func(answer string) bool { return answer == name })
}

func (a *app) ask(question string, isYes func(string) bool) error {
	if err := a.canAsk(false); err != nil {
		return err
	}
	fmt.Fprint(a.err, question+" ")
	answer := make(chan string, 1)
	go func() { // ends with the process if nobody answers
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		if isYes(strings.TrimSpace(line)) {
			return nil
		}
		return &exitError{exitRefused, errors.New("not done")}
	case <-a.interrupt.Done():
		fmt.Fprintln(a.err)
		return a.interrupt.Err()
	}
}
