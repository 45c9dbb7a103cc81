package docs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// service is one of docker-compose.yml, as far as it is looked at here. "make check" validates the
// file by the schema of the Compose Specification.
type service struct {
	Image       string
	Command     []string
	Environment map[string]string
	ExtraHosts  []string `yaml:"extra_hosts"`
	Ports       []string
	Volumes     []string
	Healthcheck struct{ Test []string }
}

func services(t *testing.T) map[string]service {
	t.Helper()
	var file struct {
		Services map[string]service
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &file); err != nil {
		t.Fatal(err)
	}
	if want := []string{"console", "grafana", "graphite", "postgres", "prometheus", "rabbitmq"}; !slices.Equal(slices.Sorted(maps.Keys(file.Services)), want) {
		t.Fatalf("the services are %v, want %v", slices.Sorted(maps.Keys(file.Services)), want)
	}
	return file.Services
}

// An image of another version tomorrow is another test than today's.
func TestEachImageOfTheComposeFileIsOfOneVersion(t *testing.T) {
	exact := regexp.MustCompile(`^[a-z0-9/-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9]+)?$`) // PostgreSQL's have two numbers
	for name, s := range services(t) {
		if !exact.MatchString(s.Image) {
			t.Errorf("%s: image %q has no exact version", name, s.Image)
		}
	}
}

// Logins are in the file, so nobody else may reach what it starts.
func TestTheComposeFileListensOnThisMachineOnlyAndWhereItSays(t *testing.T) {
	published := regexp.MustCompile(`^127\.0\.0\.1:\$\{BUNNICULA_[A-Z]+_PORT:-(\d+)\}:\d+(/udp)?$`)
	header, _, _ := strings.Cut(read(t, "docker-compose.yml"), "\nname:")
	for name, s := range services(t) {
		for _, p := range s.Ports {
			m := published.FindStringSubmatch(p)
			if m == nil {
				t.Errorf("%s: port %q, want 127.0.0.1, and a variable with a default", name, p)
			} else if !strings.Contains(header, ":"+m[1]) && !strings.Contains(header, "port "+m[1]) {
				t.Errorf("%s: the file's first lines do not tell of port %s", name, m[1])
			}
		}
	}
}

func TestWhatTheComposeFileMountsIsThere(t *testing.T) {
	mounted := 0
	for name, s := range services(t) {
		for _, v := range s.Volumes {
			from, to, _ := strings.Cut(v, ":")
			if !strings.HasPrefix(from, "./") {
				continue // a volume
			}
			mounted++
			if info, err := os.Stat(filepath.Join(root, from)); err != nil || info.IsDir() {
				t.Errorf("%s: %s, which it mounts, is no file here: %v", name, from, err)
			}
			if !strings.HasSuffix(to, ":ro") {
				t.Errorf("%s: %s can be written to", name, v)
			}
		}
	}
	if mounted != 5 {
		t.Errorf("%d files are mounted, want 5", mounted)
	}
}

// What one file says of another's address, path or setting is so.
func TestThePartsOfTheComposeFileFitTogether(t *testing.T) {
	all := services(t)
	if got := all["prometheus"].ExtraHosts; !slices.Contains(got, "host.docker.internal:host-gateway") {
		t.Errorf("Prometheus knows the hosts %q, and scrapes host.docker.internal, which no Linux knows", got)
	}
	if !strings.Contains(read(t, "docs/metrics/grafana.yml"), "http://prometheus:9090") {
		t.Error("Grafana does not ask the service prometheus")
	}
	var config struct {
		RuleFiles []string `yaml:"rule_files"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "docs/metrics/prometheus.yml")), &config); err != nil {
		t.Fatal(err)
	}
	for _, path := range config.RuleFiles {
		if !slices.ContainsFunc(all["prometheus"].Volumes, func(v string) bool { return strings.Contains(v, ":"+path+":") }) {
			t.Errorf("Prometheus reads %s, which is not mounted", path)
		}
	}
	home := all["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if !slices.Contains(all["grafana"].Volumes, "./docs/metrics/dashboard.json:"+home+":ro") {
		t.Errorf("Grafana begins with %q, which is not mounted", home)
	}
	if !strings.Contains(read(t, "docs/metrics/dashboards.yml"), filepath.Dir(home)) {
		t.Errorf("Grafana looks for dashboards elsewhere than in %s", filepath.Dir(home))
	}
	command := strings.Join(all["console"].Command, " ")
	if listens := "--listen 0.0.0.0:7337 "; !strings.Contains(command, listens) || !strings.HasSuffix(all["console"].Ports[0], ":7337") {
		t.Errorf("the console runs by %q, and its ports are %q", command, all["console"].Ports)
	}
	broker := all["rabbitmq"]
	if got := broker.Healthcheck.Test; !slices.Equal(got, []string{"CMD", "rabbitmq-diagnostics", "--quiet", "check_port_connectivity"}) {
		t.Errorf("the broker is healthy if %q", got)
	}
	setting := strings.Fields(broker.Environment["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"])
	if len(setting) != 3 || !strings.Contains(read(t, "scripts/broker"), "{"+setting[1]+", "+setting[2]+"}") {
		t.Errorf("the broker's setting is %q, want the one that tests have", setting)
	}
}
