package health

import (
	"encoding/json"
	"net/http"
	"path"
)

var _ http.Handler = (*Health)(nil)

// ServeHTTP answers GET and HEAD of any path that ends in /livez or /readyz. The answer is 200 or
// 503, and a [Report] as JSON.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	probe := path.Base(r.URL.Path)
	switch {
	case probe != "livez" && probe != "readyz":
		header.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("there are /livez and /readyz\n"))
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	report := h.Report()
	fine := report.Live
	if probe == "readyz" {
		fine = report.ready()
	}
	body, err := json.MarshalIndent(report, "", "  ")
	if err != nil { // cannot happen: a Report holds texts, times and booleans
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if !fine {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(body, '\n')) // an error means that the probe has gone
}
