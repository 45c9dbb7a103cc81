package health

import (
	"testing"
	"time"
)

// A history is the state at each second, good (g) or bad (b), and the status that the judge
// derives: (s)tarting, (o)k, d(e)graded, (d)own.
func TestTheStatusFollowsWhatIsSeenWithPatience(t *testing.T) {
	for name, row := range map[string]struct {
		config Config
		seen   string
		says   string
	}{
		"ready at once":                         {Config{}, "gg", "oo"},
		"ready within the grace":                {Config{}, "bbbggg", "sssooo"},
		"not ready within the grace":            {Config{}, "bbbbbbb", "sssssdd"},
		"and then it has to be good for longer": {Config{}, "bbbbbbgggg", "sssssdddoo"},
		"a short interruption":                  {Config{}, "gbbg", "oeeo"},
		"a long one":                            {Config{}, "gbbbbgggg", "oeeedddoo"},
		"a relapse during the recovery":         {Config{}, "gbbbbgbggg", "oeeedddddo"},
		"one that goes on after a good moment":  {Config{}, "gbbgbbg", "oeeoeeo"},
		"no patience":                           {Config{ErrorAge: NoErrorAge, Recovery: NoRecovery}, "gbgb", "odod"},
		"no patience at the start":              {Config{Grace: 1, ErrorAge: NoErrorAge, Recovery: NoRecovery}, "bbg", "sdo"},
	} {
		t.Run(name, func(t *testing.T) {
			defaults := Config{Grace: 5 * time.Second, ErrorAge: 3 * time.Second, Recovery: 2 * time.Second}
			if row.config.ErrorAge != 0 {
				defaults = row.config
			}
			c, err := defaults.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			j := newJudge(c, now)
			said := ""
			for _, seen := range row.seen {
				said += map[Status]string{Starting: "s", OK: "o", Degraded: "e", Down: "d"}[j.see(now, seen == 'g')]
				now = now.Add(time.Second)
			}
			if said != row.says {
				t.Errorf("seen %s: said %s, want %s", row.seen, said, row.says)
			}
		})
	}
}
