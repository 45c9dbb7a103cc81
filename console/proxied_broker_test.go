package console_test

import (
	"bufio"
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// proxied is a Console with one parked message behind something, as browsers reach it.
type proxied struct {
	t       *testing.T
	login   *console.Login
	handler http.Handler
	browser *http.Client
	url     string // with the path, and a slash at its end
}

func newProxied(t *testing.T, cfg console.Config) *proxied {
	t.Helper()
	plan := topology.Plan{Queue: "orders", Delays: []time.Duration{time.Second}}
	top, err := topology.New(plan)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxied{t: t}
	if p.login, err = console.NewLogin(false, nil); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.browser = &http.Client{Jar: jar, Transport: &http.Transport{}}
	cfg.Connection, cfg.Login, cfg.Log = conn, p.login, slog.New(slog.DiscardHandler)
	cfg.Topology = topologyfile.File{Consumers: []topologyfile.Consumer{{Plan: plan, Topology: top}}}
	c, err := console.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.handler = c
	console.Park(t, c)
	t.Cleanup(func() {
		p.browser.CloseIdleConnections()
		c.Close(context.Background())
		_ = conn.Stop(context.Background())
	})
	return p
}

// serve answers requests by a handler, and returns the address.
func (p *proxied) serve(h http.Handler) string {
	server := httptest.NewServer(h)
	p.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.Listener.Addr().String()
}

// ask sends a request. The answer is closed at the test's end.
func (p *proxied) ask(method, link string, header ...string) *http.Response {
	p.t.Helper()
	return p.send(method, link, nil, header...)
}

// send sends a request with a form.
func (p *proxied) send(method, link string, fields url.Values, header ...string) *http.Response {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, link, strings.NewReader(fields.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if fields != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := p.browser.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// submit sends a form of a page, with what the page has put into its fields and with more.
func (p *proxied) submit(page *http.Response, form string, more ...string) *http.Response {
	p.t.Helper()
	text, err := io.ReadAll(page.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)<form ` + form + ` method="post" action="([^"]*)">(.*?)</form>`).FindStringSubmatch(string(text))
	if found == nil {
		p.t.Fatalf("%s has no form %s:\n%s", page.Request.URL, form, text)
	}
	to, err := page.Request.URL.Parse(html.UnescapeString(found[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	fields := url.Values{}
	for _, input := range regexp.MustCompile(`<input [^>]*>`).FindAllString(found[2], -1) {
		name := regexp.MustCompile(` name="([^"]*)"`).FindStringSubmatch(input)
		value := regexp.MustCompile(` value="([^"]*)"`).FindStringSubmatch(input)
		if name != nil && value != nil && !strings.Contains(input, `type="checkbox"`) {
			fields.Add(name[1], html.UnescapeString(value[1]))
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		fields.Set(more[i], more[i+1])
	}
	return p.send(http.MethodPost, to.String(), fields, "Sec-Fetch-Site", "same-origin")
}

// exports plans an export and begins it, by the forms of the pages. It fails, since the broker has
// no such queue, and has a page of its own.
func (p *proxied) exports() {
	p.t.Helper()
	plan := p.submit(p.ask(http.MethodGet, p.url+"q/orders-error"), `id="selection"`, "all", "export")
	operation := p.submit(plan, `class="plan"`, "sure", "all")
	page, _ := io.ReadAll(operation.Body)
	if operation.StatusCode != http.StatusOK || !strings.HasPrefix(operation.Request.URL.String(), p.url+"ops/") {
		p.t.Errorf("the form leads to %s: %s\n%s", operation.Request.URL, operation.Status, page)
	}
}

var posted = regexp.MustCompile(` method="post" action="([^"]*)"`)

var linked = regexp.MustCompile(` (?:href|src|action|data-events)="([^"#]+)"`)

// crawl logs in and follows all links of all pages, each path with up to three queries.
func (p *proxied) crawl() (pages map[string]bool) {
	p.t.Helper()
	if answer := p.ask(http.MethodGet, p.url+"login?token="+p.login.Token()); answer.StatusCode != http.StatusOK || answer.Request.URL.String() != p.url {
		p.t.Fatalf("the login leads to %s: %s", answer.Request.URL, answer.Status)
	}
	site, _ := url.Parse(p.url)
	times, seen := map[string]int{}, map[string]bool{}
	todo := []string{p.url, p.url + "q/orders-error", p.url + "q/orders-error?show=list"}
	for len(todo) > 0 {
		link := todo[0]
		todo = todo[1:]
		u, err := url.Parse(link)
		if err != nil {
			p.t.Fatal(err)
		}
		if seen[link] || times[u.Path] >= 3 {
			continue
		}
		seen[link] = true
		times[u.Path]++
		if u.Host != site.Host || !strings.HasPrefix(u.Path, site.Path) {
			p.t.Errorf("a link leads to %s, away from %s", link, p.url)
			continue
		}
		answer := p.ask(http.MethodGet, link)
		if answer.StatusCode != http.StatusOK {
			p.t.Errorf("%s: %s", link, answer.Status)
			continue
		}
		if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/html") {
			_ = answer.Body.Close()
			continue
		}
		page, err := io.ReadAll(answer.Body)
		if err != nil {
			p.t.Fatalf("%s: %v", link, err)
		}
		for _, form := range posted.FindAllStringSubmatch(string(page), -1) {
			if !strings.HasPrefix(html.UnescapeString(form[1]), site.Path) {
				p.t.Errorf("%s has a form for %s", link, form[1])
			}
		}
		page = posted.ReplaceAll(page, nil)
		for _, found := range linked.FindAllStringSubmatch(string(page), -1) {
			next, err := answer.Request.URL.Parse(html.UnescapeString(found[1]))
			if err != nil {
				p.t.Errorf("%s has the link %q: %v", link, found[1], err)
				continue
			}
			todo = append(todo, next.String())
		}
	}
	pages = map[string]bool{}
	for path := range times {
		pages[regexp.MustCompile(`/[0-9a-f]{12,}`).ReplaceAllString(strings.TrimPrefix(path, site.Path), "/*")] = true
	}
	return pages
}

// works crawls all pages, waits for a hint, and has forms of other sites refused.
func (p *proxied) works() {
	p.t.Helper()
	pages := p.crawl()
	for _, want := range []string{"", "topology", "doctor", "q/orders-error", "q/orders-error/g/*", "q/orders-error/m/*", "q/orders-error/m/*/body", "q/orders-error/events", "search", "ops", "c/orders", "fleet", "static/style.css", "static/console.js", "static/icon.svg"} {
		if !pages[want] {
			p.t.Errorf("no link leads to %q; they lead to %v", want, pages)
		}
	}
	p.hints()
	p.exports()
	for site, want := range map[string]int{"same-origin": http.StatusMethodNotAllowed, "cross-site": http.StatusForbidden} {
		if answer := p.ask(http.MethodPost, p.url+"topology", "Sec-Fetch-Site", site); answer.StatusCode != want {
			p.t.Errorf("a form, %s: %s, want %d", site, answer.Status, want)
		}
	}
	own, _ := url.Parse(p.url)
	if answer := p.ask(http.MethodPost, p.url+"topology", "Origin", "http://"+own.Host); answer.StatusCode != http.StatusMethodNotAllowed {
		p.t.Errorf("a form of an older browser: %s", answer.Status)
	}
}

// hints waits for the hint that a reading has changed, which nothing on the way may keep back.
func (p *proxied) hints() {
	p.t.Helper()
	answer := p.ask(http.MethodGet, p.url+"q/orders-error/events")
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		p.t.Fatalf("the type is %q", kind)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(answer.Body); in.Scan(); {
			lines <- in.Text()
		}
	}()
	next := func(prefix string) string {
		p.t.Helper()
		late := time.After(15 * time.Second)
		for {
			select {
			case line, open := <-lines:
				if !open {
					p.t.Fatal("the hints have ended")
				}
				if text, ok := strings.CutPrefix(line, prefix); ok {
					return text
				}
			case <-late:
				p.t.Fatalf("no %q came within 15s", prefix)
			}
		}
	}
	next("retry: ")
	again := regexp.MustCompile(`[?&]read=(\d+)`)
	page, _ := io.ReadAll(p.ask(http.MethodGet, p.url+"q/orders-error").Body)
	read := again.FindStringSubmatch(string(page))
	if read == nil {
		p.t.Fatalf("no link reads the queue again:\n%s", page)
	}
	begin := time.Now()
	p.ask(http.MethodGet, p.url+"q/orders-error?read="+read[1])
	for next("data: snapshot ") != read[1] { // that is a hint of an earlier reading
	}
	if took := time.Since(begin); took > 5*time.Second { // a heartbeat would flush a buffer after 20 s
		p.t.Errorf("the hint took %s", took)
	}
	_ = answer.Body.Close()
	for range lines { // until its goroutine has ended
	}
}

func TestAllLinksWorkWhereverAnAppMountsIt(t *testing.T) {
	for name, mount := range map[string]struct {
		base   string
		handle func(*http.ServeMux, http.Handler)
	}{
		"at the root":           {"/", func(m *http.ServeMux, h http.Handler) { m.Handle("/", h) }},
		"below a path":          {"/ops/queues", func(m *http.ServeMux, h http.Handler) { m.Handle("/ops/queues/", h) }},
		"with the path removed": {"/ops/queues/", func(m *http.ServeMux, h http.Handler) { m.Handle("/ops/queues/", http.StripPrefix("/ops/queues", h)) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxied(t, console.Config{BasePath: mount.base})
			mux := http.NewServeMux()
			mount.handle(mux, p.handler)
			p.url = "http://" + p.serve(mux) + strings.TrimSuffix(mount.base, "/") + "/"
			p.works()
		})
	}
}

// The snippets for nginx are those of docs/CONSOLE.md.
func TestAllLinksWorkBehindNginx(t *testing.T) {
	nginx := findNginx(t)
	snippets := nginxSnippets(t)
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	for name, test := range map[string]struct {
		snippet string
		cfg     console.Config
	}{
		"the path stays":                                {"stays", console.Config{BasePath: "/ops"}},
		"the path is removed":                           {"removed", console.Config{BasePath: "/ops"}},
		"the path stays, and the proxy is trusted":      {"stays", console.Config{TrustedProxies: trusted, Hosts: []string{"localhost"}}},
		"the path is removed, and the proxy is trusted": {"removed", console.Config{TrustedProxies: trusted, Hosts: []string{"localhost"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxied(t, test.cfg)
			snippet := strings.ReplaceAll(snippets[test.snippet], "127.0.0.1:7337", p.serve(p.handler))
			port := startNginx(t, nginx, snippet)
			p.url = "http://localhost:" + port + "/ops/"
			p.works()
			if len(test.cfg.TrustedProxies) == 0 {
				return
			}
			// What a browser forges does not get through nginx, which sets the headers.
			answer := p.ask(http.MethodGet, p.url+"topology", "X-Forwarded-Prefix", "/evil", "X-Forwarded-Host", "evil.example", "X-Forwarded-For", "127.0.0.1")
			page, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != http.StatusOK || strings.Contains(string(page), "evil") {
				t.Errorf("forged headers: %s\n%s", answer.Status, page)
			}
		})
	}
}

// nginxSnippets returns the blocks of docs/CONSOLE.md: "stays" and "removed".
func nginxSnippets(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/CONSOLE.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)```nginx\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		all["stays"] = block[1]
	}
	slash := strings.Replace(all["stays"], "proxy_pass http://127.0.0.1:7337;", "proxy_pass http://127.0.0.1:7337/;", 1)
	if all["removed"] = slash; slash == all["stays"] {
		t.Fatalf("docs/CONSOLE.md has no snippet for nginx that passes to 127.0.0.1:7337: %q", all["stays"])
	}
	return all
}

// findNginx returns the program. It is installed if it is not there, which takes long.
func findNginx(t *testing.T) string {
	t.Helper()
	find := func() string {
		for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin") {
			if file := filepath.Join(dir, "nginx"); executable(file) {
				return file
			}
		}
		return ""
	}
	if file := find(); file != "" {
		return file
	}
	amqptest.Long(t)
	said, err := exec.CommandContext(t.Context(), "../scripts/need", "nginx").CombinedOutput()
	if file := find(); file != "" {
		return file
	}
	t.Fatalf("no nginx to test with, and scripts/need nginx fails: %v\n%s", err, said)
	return ""
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// startNginx starts a server with a snippet, which ends with the test, and returns its port.
func startNginx(t *testing.T, nginx, snippet string) (port string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	dir := t.TempDir()
	temporary := ""
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("%s_temp_path %s;\n", what, filepath.Join(dir, what))
	}
	conf := fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr;
events {}
http {
access_log off;
gzip on;
%[2]sserver {
listen 127.0.0.1:%[3]s;
%[4]s}
}
`, dir, temporary, port, snippet)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	amqptest.StartProcess(t, nil, amqptest.Program(nginx, "-p", dir, "-c", file))
	amqptest.Eventually(t, 20*time.Second, func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, "nginx listens")
	return port
}
