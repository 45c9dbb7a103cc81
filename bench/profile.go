package main

import (
	"strings"
	"unicode"
)

// profilesDir is the directory of the profiles, within that of the results.
const profilesDir = "profiles"

// profileName is the prefix of a side's files. A later round overwrites them.
func profileName(v variant, s side) string {
	plain := func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '-'
	}
	return strings.Map(plain, v.Name()) + "." + strings.Map(plain, s.Name)
}
