package filter

import (
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// step is one step of a path into JSON: a key, or an index if key is nil.
type step struct {
	key   *string
	index int
}

// parsePath reads "user.id", "$.items[0].sku", "$['odd name'].x".
func parsePath(path string) ([]step, error) {
	rest := strings.TrimPrefix(path, "$")
	if rest == "" {
		return nil, errors.New("a path such as user.id or items[0].sku")
	}
	if rest[0] != '.' && rest[0] != '[' {
		rest = "." + rest
	}
	var steps []step
	for rest != "" {
		if rest[0] == '.' {
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			key := rest[1 : 1+end]
			if key == "" {
				return nil, errors.New("a name behind each dot")
			}
			steps, rest = append(steps, step{key: &key}), rest[1+end:]
			continue
		}
		if rest[0] != '[' {
			return nil, errors.New("a dot or a bracket between two steps")
		}
		if len(rest) > 1 && rest[1] == '\'' {
			key, after, ok := strings.Cut(rest[2:], "']")
			if !ok {
				return nil, errors.New("a closing '] behind each ['")
			}
			steps, rest = append(steps, step{key: &key}), after
			continue
		}
		index, after, ok := strings.Cut(rest[1:], "]")
		n, err := strconv.ParseUint(index, 10, 31)
		if !ok || err != nil {
			return nil, errors.New("a number from 0, or 'a name', in brackets")
		}
		steps, rest = append(steps, step{index: int(n)}), after
	}
	return steps, nil
}

// equalText compares a JSON value with text that a person has written.
func equalText(v any, want string) bool {
	switch v := v.(type) {
	case nil:
		return want == "null"
	case bool:
		return strconv.FormatBool(v) == want
	case string:
		return v == want
	case json.Number:
		return v.String() == want || sameNumber(v.String(), want)
	}
	text, err := json.Marshal(v)
	return err == nil && string(text) == want
}

// sameNumber compares two numbers exactly: 1 is 1.0 and 10e-1. A number such as 1e999999, which
// would have a million digits, equals no other.
func sameNumber(a, b string) bool {
	const most = 64
	if len(a) > most || len(b) > most || largeExponent(a) || largeExponent(b) {
		return false
	}
	x, ok1 := new(big.Rat).SetString(a)
	y, ok2 := new(big.Rat).SetString(b)
	return ok1 && ok2 && x.Cmp(y) == 0
}

func largeExponent(s string) bool {
	_, exponent, ok := strings.Cut(strings.ToLower(s), "e")
	n, err := strconv.Atoi(exponent)
	return ok && (err != nil || n > 400 || n < -400)
}
