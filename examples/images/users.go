package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
)

// permissions are those of a user, see docs/SECURITY.md.
type permissions struct {
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// workerMay is what a worker needs that declares nothing: it consumes, and what it retries, parks
// or tells the requester goes through the default exchange.
func workerMay(o Options) permissions {
	return permissions{"^$", `^amq\.default$`, "^" + regexp.QuoteMeta(o.Queue()) + "(-quarantine)?$"}
}

// login is whom the workers connect as. The zero login is the one that the requester uses.
type login struct {
	user, password string

	remove func(context.Context) error // nil if the user was there before
}

// workerLogin says whom the workers connect as: the user of the flag, or one that is made for this
// run if the management API is known.
func workerLogin(ctx context.Context, o Options, cfg connection.Config) (login, error) {
	if o.WorkerUser != "" {
		return login{user: o.WorkerUser, password: os.Getenv("WORKER_PASSWORD")}, nil
	}
	if cfg.Management == "" {
		return login{}, nil
	}
	vhost, err := vhostOf(cfg)
	if err != nil {
		return login{}, err
	}
	made := login{user: o.Prefix + "-worker", password: rand.Text()}
	user := "/api/users/" + url.PathEscape(made.user)
	made.remove = func(ctx context.Context) error { return manage(ctx, cfg.Management, http.MethodDelete, user, nil) }
	err = manage(ctx, cfg.Management, http.MethodPut, user, map[string]string{"password": made.password, "tags": ""})
	if err == nil {
		of := "/api/permissions/" + url.PathEscape(vhost) + "/" + url.PathEscape(made.user)
		err = manage(ctx, cfg.Management, http.MethodPut, of, workerMay(o))
	}
	return made, err
}

// environ is the login for a worker's environment.
func (l login) environ() []string {
	if l.user == "" {
		return nil
	}
	return []string{"AMQP_USERNAME=" + l.user, "AMQP_PASSWORD=" + l.password, "RABBITMQ_MANAGEMENT_URL="}
}

func (l login) String() string {
	switch {
	case l.user == "":
		return "the requester's user (RABBITMQ_MANAGEMENT_URL or -worker-user gives them one that may configure nothing)"
	case l.remove == nil:
		return fmt.Sprintf("%q", l.user)
	}
	return fmt.Sprintf("%q, who may configure nothing", l.user)
}

func vhostOf(cfg connection.Config) (string, error) {
	if cfg.VHost != "" {
		return cfg.VHost, nil
	}
	address, err := url.Parse(strings.Join(append(cfg.URLs, cfg.URL), "")) // one of them is set
	if err != nil || len(cfg.URLs) > 1 {
		return "", errors.New("the virtual host is not known: set AMQP_VHOST, or one AMQP_URL") // the URL has a password
	}
	return cmp.Or(strings.TrimPrefix(address.Path, "/"), "/"), nil
}

func manage(ctx context.Context, api, method, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(api, "/")+path, bytes.NewReader(text))
	if err != nil {
		return errors.New("RABBITMQ_MANAGEMENT_URL is not a URL")
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("management API: %s %s: %s", method, path, res.Status)
	}
	return nil
}
