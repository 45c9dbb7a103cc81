package main

import (
	"bufio"
	"context"
	"io"
	"strings"
)

// lines returns what is typed. Nothing ends the read of a terminal, so the goroutine that reads
// ends with the reader or with the process.
func lines(ctx context.Context, in io.Reader) <-chan string {
	typed := make(chan string)
	go func() {
		defer close(typed)
		for scan := bufio.NewScanner(in); scan.Scan(); {
			select {
			case typed <- strings.TrimSpace(scan.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	return typed
}
