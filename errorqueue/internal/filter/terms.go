package filter

import (
	"strconv"
	"strings"
	"unicode"
)

// ParseTerms is [Parse] for terms that stand alone, such as the arguments of a command. A shell has
// removed the quotes, so all that stands behind the = or ~ is the value: error~connection refused.
// An argument that reads as several terms is an error: it may not be the choice that was meant.
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

// oneTerm is a term with quotes around its values where the spaces in them require that.
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
		return "", err // the first one, which quotes what was written
	}
	return text, nil
}

// countTerms says how many terms a filter's text has.
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
