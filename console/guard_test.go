package console

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEveryAnswerHasTheHeadersThatKeepOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{})
		seen := map[string]bool{}
		for _, path := range []string{"/topology", "/q/orders-error", "/q/none-error", "/nothing", "/static/style.css", "/static/nothing"} {
			h := get(c, path).Header
			policy := h.Get("Content-Security-Policy")
			for _, part := range []string{
				"default-src 'none'", "'strict-dynamic'", "style-src 'self'", "img-src 'self'", "connect-src 'self'", "form-action 'self'",
				"base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types console",
			} {
				if !strings.Contains(policy, part) {
					t.Errorf("%s: the policy is %q, want %q in it", path, policy, part)
				}
			}
			if seen[policy] {
				t.Errorf("%s: the nonce was used before", path)
			}
			seen[policy] = true
			for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
				if h.Get(name) != want {
					t.Errorf("%s: %s is %q, want %q", path, name, h.Get(name), want)
				}
			}
		}
	})
}

func TestAConsoleWithoutConfigurationIsForThisMachineAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{})
		for _, header := range [][]string{
			{"X-Forwarded-For", "127.0.0.1"},
			{"Forwarded", "for=127.0.0.1"},
			{"X-Real-Ip", "127.0.0.1"},
			{"Host", "evil.example"},
			{"Host", "localhost.evil.example:7337"},
		} {
			if answer := get(c, "/topology", header...); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%q: %s", header, answer.Status)
			}
		}
		for _, header := range [][]string{nil, {"Host", "LOCALHOST"}, {"Host", "127.0.0.1:1"}, {"Host", "[::1]:7337"}} {
			if answer := get(c, "/topology", header...); answer.StatusCode != http.StatusOK {
				t.Errorf("%q: %s", header, answer.Status)
			}
		}
	})
}

func TestARequestFromElsewhereIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := http.NewRequest(http.MethodGet, "http://localhost/", nil)
		for addr, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "10.0.0.1:1": false, "": false, "@": false} {
			r.RemoteAddr = addr
			if _, err := local(r); (err == nil) != want {
				t.Errorf("%q: %v", addr, err)
			}
		}
	})
}

func TestALinkLogsInOnceWithinTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLogin(true, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := made(t, Config{Login: l, BasePath: "/ops"})
		if answer := get(c, "/ops/topology"); answer.StatusCode != http.StatusForbidden {
			t.Errorf("without a login: %s", answer.Status)
		}
		link := "/ops/login?token=" + l.Token()
		if answer := get(c, link, "Host", "evil.example"); answer.StatusCode != http.StatusForbidden {
			t.Errorf("by another name: %s", answer.Status)
		}
		if answer := ask(c, http.MethodHead, link); answer.StatusCode != http.StatusForbidden {
			t.Errorf("a preview: %s", answer.Status)
		}
		answer := get(c, link)
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/ops/" {
			t.Fatalf("%s to %q", answer.Status, answer.Header.Get("Location"))
		}
		cookie := answer.Cookies()[0]
		if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/ops/" || cookie.MaxAge != 12*60*60 {
			t.Errorf("the cookie is %s", cookie)
		}
		if answer := get(c, link); answer.StatusCode != http.StatusForbidden {
			t.Errorf("the second time: %s", answer.Status)
		}
		as := func(value string) int {
			return get(c, "/ops/topology", "Cookie", cookieName+"="+value).StatusCode
		}
		if as(cookie.Value) != http.StatusOK {
			t.Errorf("the cookie: %d", as(cookie.Value))
		}
		for _, forged := range []string{"", "x", cookie.Value[:len(cookie.Value)-2], "B" + cookie.Value[1:], cookie.Value + "AAAA", strings.Repeat("A", len(cookie.Value))} {
			if as(forged) != http.StatusForbidden {
				t.Errorf("forged %q: %d", forged, as(forged))
			}
		}
		late := "/ops/login?token=" + l.Token()
		time.Sleep(tokenLife)
		if answer := get(c, late); answer.StatusCode != http.StatusForbidden {
			t.Errorf("after ten minutes: %s", answer.Status)
		}
		time.Sleep(cookieLife)
		if as(cookie.Value) != http.StatusForbidden {
			t.Errorf("after twelve hours: %d", as(cookie.Value))
		}
	})
}

func TestACookieOfAnotherKeyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, _ := NewLogin(false, []byte(strings.Repeat("1", 32)))
		same, _ := NewLogin(false, []byte(strings.Repeat("1", 32)))
		other, _ := NewLogin(false, []byte(strings.Repeat("2", 32)))
		r, _ := http.NewRequest(http.MethodGet, "http://localhost/", nil)
		r.AddCookie(one.cookie(nil, "/", false))
		if _, err := same.identify(nil, r); err != nil {
			t.Errorf("the same key: %v", err)
		}
		if _, err := other.identify(nil, r); !errors.Is(err, errBadCookie) {
			t.Errorf("another key: %v", err)
		}
		if _, err := NewLogin(false, []byte("short")); err == nil {
			t.Error("a short key is accepted")
		}
	})
}

func TestALinkOnAnotherSiteLeadsToThePageInTwoSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := NewLogin(false, nil)
		c := made(t, Config{Login: l})
		page := text(t, get(c, "/q/orders-error?filter=reason%3Dtimeout", "Sec-Fetch-Site", "cross-site"))
		if !strings.Contains(page, `href="/q/orders-error?filter=reason%3Dtimeout"`) {
			t.Errorf("there is no link to the page itself:\n%s", page)
		}
		page = text(t, get(c, "//evil.example/x", "Sec-Fetch-Site", "cross-site"))
		if strings.Contains(page, `href="//`) {
			t.Errorf("there is a link to another host:\n%s", page)
		}
	})
}

func TestWhatAUserMayNotSeeIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := User{Name: "sam"}
		var failed error
		c := made(t, Config{Identify: func(*http.Request) (User, error) { return user, failed }}, oneOf("id-1", "boom"))
		mark := markOf(t, c, "orders-error", &user)
		paths := map[string]Right{
			"/q/orders-error": See, "/q/orders-error/g/" + groupName("g"): See, "/doctor": See,
			"/q/orders-error/m/" + mark: Read, "/q/orders-error/m/" + mark + "/body": Read,
		}
		for right := Right(0); right <= Read; right++ {
			user.Grants = []Grant{{Queues: "*", Right: right}}
			for path, need := range paths {
				if path == "/doctor" && right >= See {
					continue // it asks a broker that is not there
				}
				want := http.StatusForbidden
				if right >= need {
					want = http.StatusOK
				}
				if answer := get(c, path); answer.StatusCode != want {
					t.Errorf("%s with right %d: %s, want %d", path, right, answer.Status, want)
				}
			}
		}
		user.Grants = []Grant{{Queues: "other-error", Right: Read}, {Queues: "ord-*", Right: Read}}
		if answer := get(c, "/q/orders-error"); answer.StatusCode != http.StatusForbidden {
			t.Errorf("with rights to other queues: %s", answer.Status)
		}
		failed = errors.New("the directory says secret things")
		if answer := get(c, "/q/orders-error"); answer.StatusCode != http.StatusForbidden || strings.Contains(text(t, answer), "secret") {
			t.Errorf("without a user: %s", answer.Status)
		}
	})
}

func TestNoPageShowsAPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{ManagementURL: "http://someone:pass-word-1@127.0.0.1:1"}, oneOf("id-1", "boom"))
		for _, path := range []string{"/", "/topology", "/q/orders-error", "/q/none-error"} {
			if strings.Contains(text(t, get(c, path)), "pass-word-1") {
				t.Errorf("%s shows it", path)
			}
		}
	})
}

func TestOnlyFormsOfThisConsoleReachIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Config{Identify: func(*http.Request) (User, error) { return owner("eve", Change), nil }})
		for name, test := range map[string]struct {
			header []string
			want   int
		}{
			"a form of ours":       {[]string{"Sec-Fetch-Site", "same-origin"}, http.StatusNotFound},
			"a program":            {nil, http.StatusNotFound},
			"another site":         {[]string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
			"another host of ours": {[]string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
			"an older browser":     {[]string{"Origin", "https://evil.example"}, http.StatusForbidden},
		} {
			if answer := ask(c, http.MethodPost, "/nothing", test.header...); answer.StatusCode != test.want {
				t.Errorf("%s: %s, want %d", name, answer.Status, test.want)
			}
		}
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodTrace} {
			if answer := ask(c, method, "/"); answer.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s: %s", method, answer.Status)
			}
		}
	})
}
