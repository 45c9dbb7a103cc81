package consoleload

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// got is an answer, and how long it took until all of it was there.
type got struct {
	status int
	body   []byte
	took   time.Duration
	url    *url.URL // after redirects
}

func (g got) has(text string) bool { return strings.Contains(string(g.body), text) }

// get loads a page.
func (s *site) get(path string, headers ...string) got {
	s.t.Helper()
	g := s.try(path, headers...)
	if g.status != http.StatusOK {
		s.t.Fatalf("%s: %d\n%.2000s", path, g.status, g.body)
	}
	return g
}

// try loads a page, whatever its status is. A goroutine that is not the test's may call it.
func (s *site) try(path string, headers ...string) (g got) {
	r, err := http.NewRequestWithContext(context.WithoutCancel(s.t.Context()), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Error(err)
		return g
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.ask(s.client, r)
}

func (s *site) ask(client *http.Client, r *http.Request) (g got) {
	began := time.Now()
	answer, err := client.Do(r)
	if err != nil {
		s.t.Error(err)
		return g
	}
	defer func() { _ = answer.Body.Close() }()
	g.body, err = io.ReadAll(answer.Body)
	if err != nil {
		s.t.Error(err)
	}
	g.status, g.took, g.url = answer.StatusCode, time.Since(began), answer.Request.URL
	return g
}

// post sends a form, and returns where the answer leads.
func (s *site) post(path string, form url.Values) (to string, took time.Duration) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := *s.client
	client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		to = r.URL.Path
		return http.ErrUseLastResponse
	}
	g := s.ask(&client, r)
	if g.status != http.StatusSeeOther {
		s.t.Fatalf("%s: %d\n%.2000s", path, g.status, g.body)
	}
	return to, g.took
}

var (
	readLink   = regexp.MustCompile(`\?[^"]*read=(\d+)`)
	versionOf  = regexp.MustCompile(`name="snapshot" value="(\d+)"`)
	tookOf     = regexp.MustCompile(`class="took">, took ([^<]+)<`)
	groupLink  = regexp.MustCompile(`/q/[^"]*-error/g/[0-9a-f]+`)
	markLink   = regexp.MustCompile(`/q/[^"]*-error/m/[0-9a-f]+`)
	formFields = regexp.MustCompile(`<input[^>]* name="([^"]*)"[^>]*? value="([^"]*)"`)
)

// browser follows a page as the console's script does: it listens to hints, and asks for the main
// part of the page when there is one. It calls see with each, until see says no or ctx ends.
func (s *site) browser(ctx context.Context, page string, see func(got) bool) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+page+"/events", nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	answer, err := s.client.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			s.t.Error(err)
		}
		return
	}
	defer func() { _ = answer.Body.Close() }()
	for hints := bufio.NewScanner(answer.Body); hints.Scan(); {
		if !strings.HasPrefix(hints.Text(), "data: ") {
			continue
		}
		g := s.try(page, "Bunnicula-Console-Fragment", "1")
		if g.status != http.StatusOK || !see(g) {
			return
		}
	}
}
