package filter

import "slices"

// set has the values of one list. A long list, such as 700,000 marks, is looked up in the same time
// as a short one. It is immutable.
type set struct {
	few  []string
	many map[string]struct{} // in place of few
}

const mostFew = 16 // values; so many are compared as fast as one is hashed

func newSet(values []string) set {
	if len(values) <= mostFew {
		return set{few: values}
	}
	s := set{many: make(map[string]struct{}, len(values))}
	for _, v := range values {
		s.many[v] = struct{}{}
	}
	return s
}

func (s *set) empty() bool { return len(s.few)+len(s.many) == 0 }

func (s *set) has(v string) bool {
	if s.many != nil {
		_, ok := s.many[v]
		return ok
	}
	return slices.Contains(s.few, v)
}
