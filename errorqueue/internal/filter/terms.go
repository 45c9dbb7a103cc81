package filter

import (
	"strconv"
	"strings"
	"unicode"
)

// ParseTerms is [Parse] for separate terms, such as the arguments of a command. A shell has removed
// the quotes, so the value is everything after the = or ~: error~connection refused. An argument
// that can be read as several terms is an error, because it may not be the choice that was meant.
func ParseTerms(terms ...string) (Filter, error) {
	var texts []string
	for _, term := range terms {
		text, err := oneTerm(term)
		if err != nil {
			return Filter{}, err
		}
		texts = append(texts, text)
	}
	return Parse(strings.Join(texts, " "))
}

// oneTerm returns a term with quotes around values that contain spaces.
func oneTerm(term string) (string, error) {
	n, err := countTerms(term)
	switch {
	case err == nil && n == 1:
		return term, nil
	case err == nil && n == 0:
		return "", &Error{"a term", term, "name=value, such as reason=timeout"}
	case err == nil:
		return "", &Error{"a term", term, "each term as an argument of its own, or its value in double quotes"}
	}
	end := strings.IndexAny(term, "=~")
	if end < 0 || strings.Contains(term, `"`) || strings.ContainsFunc(term[:end], unicode.IsSpace) {
		return "", err
	}
	key, value := term[:end+1], term[end+1:]
	values := []string{value}
	if new(Filter).list(term[:end]) != nil {
		values = strings.Split(value, ",")
	}
	for i, v := range values {
		if v == "" {
			return "", err
		}
		values[i] = strconv.Quote(v)
	}
	text := key + strings.Join(values, ",")
	if n, e := countTerms(text); e != nil || n != 1 {
		return "", err // the first error, which quotes the original text
	}
	return text, nil
}

// countTerms returns how many terms a filter's text has.
func countTerms(text string) (n int, err error) {
	var f Filter
	for s := (scanner{rest: text}); ; n++ {
		if s.space(); s.rest == "" {
			return n, nil
		}
		if err := f.term(&s); err != nil {
			return n, err
		}
	}
}
