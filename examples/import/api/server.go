// Package api plays the API of a help desk: a list of conversations, page by page, and each
// conversation by its id. It limits the rate of requests and fails at times. For one seed it fails
// in the same way each time.
package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// PageSize is how many conversations are on a page of the list.
const PageSize = 100

// Conversation is what a customer wrote.
type Conversation struct {
	ID    string `json:"id"`
	Topic string `json:"topic"`
	Text  string `json:"text"`
}

// Page is a part of the list of all conversations.
type Page struct {
	Number int      `json:"number"` // from 1
	IDs    []string `json:"ids"`
	Next   int      `json:"next"`  // the next page's number, 0 after the last
	Total  int      `json:"total"` // conversations on all pages
}

// Config says how well the API behaves.
type Config struct {
	Conversations []Conversation

	// Rate is how many requests a second are answered; the others get 429.
	Rate int

	// FailureRate is the share of requests that fail, from 0 to 1: most with 500, some never
	// answered.
	FailureRate float64

	// Seed decides which conversations are gone or forbidden, and which requests fail.
	Seed uint64
}

// Server is an http.Handler for GET /conversations?page=1 and GET /conversations/{id}.
type Server struct {
	config Config
	byID   map[string]Conversation
	limit  *limit
	mux    *http.ServeMux

	mu       sync.Mutex
	requests map[string]int // requests that were not turned away, by path
}

// NewServer makes a Server.
func NewServer(cfg Config) *Server {
	s := &Server{config: cfg, byID: map[string]Conversation{}, limit: newLimit(cfg.Rate), mux: http.NewServeMux(), requests: map[string]int{}}
	for _, c := range cfg.Conversations {
		s.byID[c.ID] = c
	}
	s.mux.HandleFunc("GET /conversations", s.list)
	s.mux.HandleFunc("GET /conversations/{id}", s.get)
	return s
}

// ServeHTTP turns away requests above the rate, and lets some of the others fail.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wait, ok := s.limit.take(time.Now()); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	}
	switch s.trouble(r.URL.RequestURI()) {
	case broken:
		http.Error(w, "something went wrong", http.StatusInternalServerError)
	case silent:
		<-r.Context().Done() // until the client gives up
	case none:
		s.mux.ServeHTTP(w, r)
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	all := s.config.Conversations
	from := (number - 1) * PageSize
	if err != nil || from < 0 || from > len(all) {
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	to := min(from+PageSize, len(all))
	page := Page{Number: number, IDs: []string{}, Total: len(all)}
	for _, c := range all[from:to] {
		page.IDs = append(page.IDs, c.ID)
	}
	if to < len(all) {
		page.Next = number + 1
	}
	answer(w, page)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	c, found := s.byID[r.PathValue("id")]
	switch {
	case !found || s.gone(c.ID):
		http.Error(w, "no such conversation", http.StatusNotFound)
	case s.forbidden(c.ID):
		http.Error(w, "this conversation is not yours", http.StatusUnauthorized)
	default:
		answer(w, c)
	}
}

func answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, fmt.Sprintf("encode the answer: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // an error means that the client has gone
}
