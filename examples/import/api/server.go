// Package api plays the API of a help desk: for each account a list of conversations, page by page,
// and each conversation by its id. It limits the rate of each account's requests and fails at
// times. For one seed it fails in the same way each time.
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

// Config says how well the API behaves.
type Config struct {
	Accounts []Account

	// Rate is how many requests a second are answered for each account; the others get 429.
	Rate int

	// FailureRate is the share of requests that fail, from 0 to 1: most with 500, some never
	// answered.
	FailureRate float64

	// Seed decides which conversations are gone or forbidden, and which requests fail.
	Seed uint64
}

// Server is an http.Handler for GET /{account}/conversations?page=1 and
// GET /{account}/conversations/{id}.
type Server struct {
	config   Config
	accounts map[string]*account // by name
	mux      *http.ServeMux

	mu       sync.Mutex
	requests map[string]int // requests that were not turned away, by path
}

// NewServer makes a Server.
func NewServer(cfg Config) *Server {
	s := &Server{config: cfg, accounts: map[string]*account{}, mux: http.NewServeMux(), requests: map[string]int{}}
	for _, a := range cfg.Accounts {
		s.accounts[a.Name] = keep(a, cfg.Rate)
	}
	s.mux.HandleFunc("GET /{account}/conversations", s.limited(s.list))
	s.mux.HandleFunc("GET /{account}/conversations/{id}", s.limited(s.get))
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Requests counts an account's requests up to now.
func (s *Server) Requests(account string) Requests {
	a, found := s.accounts[account]
	if !found {
		return Requests{}
	}
	return a.limit.counted()
}

// limited turns away an account's requests above the rate, and lets some of the others fail.
func (s *Server) limited(next func(http.ResponseWriter, *http.Request, *account)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, found := s.accounts[r.PathValue("account")]
		if !found {
			http.Error(w, "no such account", http.StatusNotFound)
			return
		}
		if wait, ok := a.limit.take(time.Now()); !ok {
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
			next(w, r, a)
		}
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, a *account) {
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	page, found := a.page(number)
	if err != nil || !found {
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	answer(w, page)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, a *account) {
	c, found := a.byID[r.PathValue("id")]
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
