package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestHintsEndWithTheConsole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		c := made(t, Config{Identify: func(*http.Request) (User, error) { return user, nil }}, several(12)...)
		_, form := planOf(t, c, planLink)
		link := send(c, "/q/orders-error/redrive", form).Header.Get("Location")
		synctest.Wait()
		over := make(chan string, 2)
		for _, path := range []string{"/q/orders-error/events", link + "/events"} {
			go func() {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:7337"+path, nil)
				r.RemoteAddr = "127.0.0.1:50000"
				c.ServeHTTP(httptest.NewRecorder(), r)
				over <- path
			}()
		}
		synctest.Wait()
		began := time.Now()
		c.Close(context.Background())
		<-over
		<-over
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the last one ended after %v", took)
		}
	})
}
