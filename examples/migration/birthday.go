package main

import (
	"strings"
	"time"
)

// dotted is how the old system wrote dates at first.
const dotted = "02.01.2006"

// birthday returns the date as the new system wants it. The first version of the import knows one
// way in which the old system wrote dates, the fixed one knows both.
func birthday(text string, fixed bool) (string, error) {
	layout := time.DateOnly
	if fixed && strings.Contains(text, ".") {
		layout = dotted
	}
	day, err := time.Parse(layout, text)
	if err != nil {
		return "", err
	}
	return day.Format(time.DateOnly), nil
}
