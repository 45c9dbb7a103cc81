package prometheus

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/bunnicula-go/bunnicula/internal/applog"
)

// Config says where metrics are registered, and which buckets their histograms have.
type Config struct {
	// Registerer takes the metrics.
	//
	// Defaults to prometheus.DefaultRegisterer.
	Registerer prom.Registerer

	// DurationBuckets are the upper bounds of bunnicula_handler_duration_seconds, in seconds.
	//
	// Defaults to 1 ms to 5 minutes.
	DurationBuckets []float64

	// AgeBuckets are the upper bounds of bunnicula_message_age_seconds, in seconds.
	//
	// Defaults to 1 s to 7 days.
	AgeBuckets []float64

	// AttemptBuckets are the upper bounds of bunnicula_message_attempts.
	//
	// Defaults to 1, 2, 3, 4, 5, 10, 20, 50.
	AttemptBuckets []float64

	// Logger takes the panics of sources, see [Monitor.Watch].
	//
	// Defaults to the fx app's *slog.Logger, or slog.Default.
	Logger *slog.Logger
}

// Defaults of Config.
var (
	DefaultDurationBuckets = []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30, 60, 300}
	DefaultAgeBuckets      = []float64{1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600}
	DefaultAttemptBuckets  = []float64{1, 2, 3, 4, 5, 10, 20, 50}
)

func (c Config) withDefaults() (Config, error) {
	if c.Registerer == nil {
		c.Registerer = prom.DefaultRegisterer
	}
	c.Logger = applog.First(c.Logger)
	var errs []error
	for _, f := range []struct {
		name    string
		buckets *[]float64
		usual   []float64
	}{
		{"DurationBuckets", &c.DurationBuckets, DefaultDurationBuckets},
		{"AgeBuckets", &c.AgeBuckets, DefaultAgeBuckets},
		{"AttemptBuckets", &c.AttemptBuckets, DefaultAttemptBuckets},
	} {
		if len(*f.buckets) == 0 {
			*f.buckets = f.usual
		}
		for i, b := range *f.buckets {
			if b <= 0 || i > 0 && b <= (*f.buckets)[i-1] {
				errs = append(errs, fmt.Errorf("prometheus: Config.%s is %v, want numbers above 0 that grow", f.name, *f.buckets))
				break
			}
		}
		*f.buckets = slices.Clone(*f.buckets)
	}
	return c, errors.Join(errs...)
}
