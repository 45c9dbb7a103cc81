package bank

import (
	"encoding/csv"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestEachWayToFailIsSeenByAClient(t *testing.T) {
	b := New(Config{Branches: 2, Accounts: 10, Rows: 200, FailureRate: 0.5, Seed: 1})
	server := httptest.NewServer(b)
	defer server.Close()
	transport := &http.Transport{ResponseHeaderTimeout: 50 * time.Millisecond}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	whole := 0
	for range 60 {
		whole += ask(t, client, server.URL+"/accounts/10/transactions.csv?from=1&rows=1000")
	}
	if c := b.Counts(); whole != c.Served || whole == 0 || c.Refused == 0 || c.Cut == 0 || c.Hung == 0 || c.Served+c.Refused+c.Cut+c.Hung != 60 {
		t.Errorf("%+v, %d whole answers", c, whole)
	}
}

// ask returns 1 if the answer is whole.
func ask(t *testing.T, c *http.Client, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode == http.StatusServiceUnavailable {
		if answer.Header.Get("Retry-After") != "1" {
			t.Errorf("%v", answer.Header)
		}
		_, _ = io.Copy(io.Discard, answer.Body) // so that the connection is used again
		return 0
	}
	records, err := csv.NewReader(answer.Body).ReadAll()
	if err != nil {
		return 0
	}
	if answer.StatusCode != http.StatusOK || len(records) != 201 {
		t.Errorf("%s, %d records", answer.Status, len(records))
	}
	return 1
}

func TestABadRequestIsRefused(t *testing.T) {
	b := New(Config{Branches: 2, Accounts: 10, Rows: 200})
	for path, want := range map[string]int{
		"/branches/1/accounts.csv":                      http.StatusOK,
		"/branches/3/accounts.csv":                      http.StatusNotFound,
		"/accounts/11/transactions.csv?from=1&rows=1":   http.StatusNotFound,
		"/accounts/10/transactions.csv?from=0&rows=1":   http.StatusBadRequest,
		"/accounts/10/transactions.csv?from=1":          http.StatusBadRequest,
		"/accounts/10/transactions.csv?from=201&rows=9": http.StatusOK,
	} {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
