package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// mayChange refuses a change where --read-only is given.
func (a *app) mayChange(what string) error {
	if a.readOnly {
		return &exitError{exitRefused, fmt.Errorf("%s: refused, because of --read-only", what)}
	}
	return nil
}

// confirm asks somebody. Where nobody is, --yes must have been said.
func (a *app) confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	if !a.asks {
		return &exitError{exitRefused, errors.New("not done: there is no terminal to ask at, say --yes")}
	}
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // ends with the process if nobody answers
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return &exitError{exitRefused, errors.New("not done")}
	case <-a.interrupt.Done():
		fmt.Fprintln(a.err)
		return a.interrupt.Err()
	}
}
