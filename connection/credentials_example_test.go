package connection_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
)

// fetch decodes the JSON of an answer.
func fetch(req *http.Request, into any) error {
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", req.URL.Redacted(), answer.Status)
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

// tokens gets tokens of an OAuth 2 server by the client credentials grant (RFC 6749, 4.4).
func tokens(endpoint, client, secret string) func(context.Context) (connection.Credentials, error) {
	return func(ctx context.Context) (connection.Credentials, error) {
		asked := time.Now()
		form := strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, form)
		if err != nil {
			return connection.Credentials{}, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth(client, secret)
		var token struct {
			Text    string `json:"access_token"`
			Seconds int    `json:"expires_in"`
		}
		if err := fetch(req, &token); err != nil {
			return connection.Credentials{}, err
		}
		return connection.Credentials{
			Username: client, Password: token.Text, Expires: asked.Add(time.Duration(token.Seconds) * time.Second),
		}, nil
	}
}

func ExampleConfig_oAuth2() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"access_token": "eyJhbGciOiJSUzI1NiJ9.e30.c2VjcmV0", "token_type": "bearer", "expires_in": 300}`)
	}))
	defer server.Close()

	cfg := connection.Config{
		URL:         "amqps://rabbit.example.com/shop", // without a user
		Credentials: tokens(server.URL+"/token", "orders-worker", "the client's secret"),
	}
	c, err := cfg.Credentials(context.Background())
	fmt.Println(c.Username, time.Until(c.Expires).Round(time.Minute), err)
	// Output: orders-worker 5m0s <nil>
}

// leases gets users of RabbitMQ from Vault's RabbitMQ secrets engine. Each lease is a user of its
// own, which Vault deletes when the lease ends.
func leases(vault, token, role string) func(context.Context) (connection.Credentials, error) {
	return func(ctx context.Context) (connection.Credentials, error) {
		asked := time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, vault+"/v1/rabbitmq/creds/"+role, nil)
		if err != nil {
			return connection.Credentials{}, err
		}
		req.Header.Set("X-Vault-Token", token)
		var lease struct {
			Seconds int `json:"lease_duration"`
			Data    struct{ Username, Password string }
		}
		if err := fetch(req, &lease); err != nil {
			return connection.Credentials{}, err
		}
		return connection.Credentials{
			Username: lease.Data.Username, Password: lease.Data.Password, Expires: asked.Add(time.Duration(lease.Seconds) * time.Second),
		}, nil
	}
}

func ExampleConfig_vault() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"lease_id": "rabbitmq/creds/worker/1", "lease_duration": 3600, "data": {"username": "worker-7c1f", "password": "secret"}}`)
	}))
	defer server.Close()

	cfg := connection.Config{
		URL:         "amqps://rabbit.example.com/shop",
		Credentials: leases(server.URL, "Vault's token", "worker"),
	}
	c, err := cfg.Credentials(context.Background())
	fmt.Println(c.Username, time.Until(c.Expires).Round(time.Minute), err)
	// Output: worker-7c1f 1h0m0s <nil>
}
