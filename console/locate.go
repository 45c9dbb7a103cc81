package console

import (
	"net/url"
	"slices"
	"strings"
)

// locate returns the segments of a path below a base, which is one of several. A proxy, or
// http.StripPrefix, may have removed the base, and the base may be the name of a page: what has a
// route counts then. Links of ours to the base end in a slash, and links to a page do not.
func locate(all []route, path string, bases ...string) []string {
	whole := segments(path)
	fits := func(parts []string) bool {
		return slices.ContainsFunc(all, func(r route) bool { _, ok := r.fits(parts); return ok })
	}
	if !strings.HasSuffix(path, "/") && slices.ContainsFunc(all, func(r route) bool { return r.pattern == strings.Join(whole, "/") }) {
		return whole
	}
	var below [][]string // the shortest first
	for _, base := range bases {
		if rest, ok := strings.CutPrefix(path+"/", base); ok {
			below = append(below, segments(rest))
		}
	}
	slices.SortStableFunc(below, func(a, b []string) int { return len(a) - len(b) })
	below = append(below, whole)
	if i := slices.IndexFunc(below, fits); i >= 0 {
		return below[i]
	}
	return below[0]
}

// segments splits a path. The names in it may have slashes, which are escaped.
func segments(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	parts := strings.Split(path, "/")
	for i, s := range parts {
		if plain, err := url.PathUnescape(s); err == nil {
			parts[i] = plain
		}
	}
	return parts
}
