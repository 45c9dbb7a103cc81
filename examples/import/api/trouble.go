package api

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// What happens to a request.
type trouble int

const (
	none   trouble = iota
	broken         // 500
	silent         // no answer
)

// Shares of all conversations, and of the requests that fail.
const (
	goneShare      = 0.03
	forbiddenShare = 0.02
	silentShare    = 0.2
)

// trouble decides what happens to one request. It depends on how many requests for the same path
// there were, so that one can fail and the next succeed.
func (s *Server) trouble(path string) trouble {
	s.mu.Lock()
	s.requests[path]++
	n := s.requests[path]
	s.mu.Unlock()
	switch c := Chance(s.config.Seed, path, n); {
	case c < s.config.FailureRate*silentShare:
		return silent
	case c < s.config.FailureRate:
		return broken
	}
	return none
}

func (s *Server) gone(id string) bool {
	return Chance(s.config.Seed, id, "access") < goneShare
}

func (s *Server) forbidden(id string) bool {
	c := Chance(s.config.Seed, id, "access")
	return c >= goneShare && c < goneShare+forbiddenShare
}

// Chance is a number from 0 to 1 that looks random and depends on the seed and the facts alone.
func Chance(seed uint64, facts ...any) float64 {
	sum := sha256.Sum256(fmt.Append(nil, seed, facts))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}
