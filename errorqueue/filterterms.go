package errorqueue

import (
	"strconv"
	"strings"
	"unicode"
)

// ParseTerms makes a Filter of terms as [ParseFilter] has them, one in each text, such as the arguments of a command. A shell has taken
// the quotes then, so what stands behind the = or ~ of a term is its value, spaces included: error~connection refused. A text that reads as several
// terms is an error, and so never taken for another choice than was meant.
func ParseTerms(terms ...string) (Filter, error) {
	var texts []string
	for _, term := range terms {
		text, err := oneTerm(term)
		if err != nil {
			return Filter{}, err
		}
		texts = append(texts, text)
	}
	return ParseFilter(strings.Join(texts, " "))
}

// oneTerm is the text of a term, in quotes where the spaces in it want them.
func oneTerm(term string) (string, error) {
	n, err := countTerms(term)
	switch {
	case err == nil && n == 1:
		return term, nil
	case err == nil && n == 0:
		return "", &FieldError{"a term", term, "name=value, such as reason=timeout"}
	case err == nil:
		return "", &FieldError{"a term", term, "each term as an argument of its own, or its value in double quotes"}
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
		return "", err // which shows what was written
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
