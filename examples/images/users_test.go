package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/connection"
)

func TestAUserIsMadeForTheWorkersAndRemoved(t *testing.T) {
	var asked []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		asked = append(asked, r.Method+" "+r.URL.EscapedPath()+" as "+user+":"+password)
		if strings.Contains(r.URL.Path, "permissions") {
			asked = append(asked, string(body))
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer api.Close()
	o := Options{Prefix: "a.b"}
	as, err := workerLogin(t.Context(), o, connection.Config{
		URL: "amqp://localhost/%2F", Management: strings.Replace(api.URL, "http://", "http://admin:secret@", 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := as.remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"PUT /api/users/a.b-worker as admin:secret",
		"PUT /api/permissions/%2F/a.b-worker as admin:secret",
		`{"configure":"^$","write":"^amq\\.default$","read":"^a\\.b-bw(-quarantine)?$"}`,
		"DELETE /api/users/a.b-worker as admin:secret",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("it asked\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
	}
	if env := as.environ(); !slices.Contains(env, "AMQP_USERNAME=a.b-worker") || !slices.Contains(env, "AMQP_PASSWORD="+as.password) {
		t.Errorf("the workers get %d variables", len(env))
	}
}

func TestARefusalOfTheManagementAPIIsAnErrorWithoutThePassword(t *testing.T) {
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	for _, url := range []string{strings.Replace(api.URL, "http://", "http://admin:secret@", 1), "http://admin:secret@127.0.0.1:1", "http://admin:secret@%"} {
		_, err := workerLogin(t.Context(), Options{Prefix: "p"}, connection.Config{Management: url})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("error %v", err)
		}
	}
}

func TestTheVirtualHostIsThatOfTheURL(t *testing.T) {
	for want, cfg := range map[string]connection.Config{
		"/":     {},
		"shop":  {URL: "amqp://localhost/shop"},
		"main":  {URL: "amqp://localhost/shop", VHost: "main"},
		"one":   {URLs: []string{"amqp://localhost/one"}},
		"/main": {URL: "amqp://localhost/%2Fmain"},
	} {
		if got, err := vhostOf(cfg); got != want || err != nil {
			t.Errorf("%s: %q, %v", want, got, err)
		}
	}
	if _, err := vhostOf(connection.Config{URLs: []string{"amqp://u:secret@a", "amqp://b"}}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("two nodes: %v", errors.Unwrap(err))
	}
}
