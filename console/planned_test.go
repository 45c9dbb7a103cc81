package console

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPlanIsOfTheReadingOfItsOwnProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := owner("eve", Change)
		cfg := Config{Key: []byte(strings.Repeat("k", 32)), Identify: func(*http.Request) (User, error) { return user, nil }}
		before := made(t, cfg, several(3)...)
		_, form := planOf(t, before, planLink)
		time.Sleep(time.Second)
		// It is started again, or a balancer leads to another one. Its first reading has other
		// messages.
		after := made(t, cfg, several(8)[5:]...)
		if _, own := planOf(t, after, planLink); own.Get("snapshot") != form.Get("snapshot") {
			t.Fatal("the readings have different numbers")
		}
		answer := send(after, "/q/orders-error/redrive", form)
		if page := text(t, answer); answer.StatusCode != http.StatusConflict || !strings.Contains(page, "Plan again") {
			t.Errorf("%s: messages that the plan has not counted are redriven\n%s", answer.Status, page)
		}
		if n := len(after.runner.All()); n != 0 {
			t.Errorf("%d operations were begun", n)
		}
	})
}
