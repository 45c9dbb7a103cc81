package management

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Point is what a queue was at one moment. A nil field is unknown.
type Point struct {
	At    time.Time
	Ready *int
	// In and Out are messages a second since the point before it.
	In, Out *float64
}

// History returns what a queue was in the time that ends now, the oldest first, in steps. The API
// says 0 for times of which it knows nothing: before the queue was declared, and before what Kept
// says.
func (c *Client) History(ctx context.Context, vhost, queue string, age, step time.Duration) ([]Point, error) {
	var answer history
	seconds := func(d time.Duration) []string { return []string{strconv.Itoa(int(d / time.Second))} }
	parameters := url.Values{
		"lengths_age": seconds(age), "lengths_incr": seconds(step), "msg_rates_age": seconds(age), "msg_rates_incr": seconds(step),
		"columns": {"messages_ready_details,message_stats.publish_details,message_stats.ack_details"},
	}
	if err := c.query(ctx, &answer, parameters, "queues", vhost, queue); err != nil {
		return nil, err
	}
	return answer.points(), nil
}

// Kept returns for how long the API keeps what queues were, 0 if it does not say.
func (c *Client) Kept(ctx context.Context) (time.Duration, error) {
	var answer struct {
		Policies struct {
			Basic []int `json:"basic"` // seconds; of queues, among others
		} `json:"sample_retention_policies"`
	}
	err := c.query(ctx, &answer, url.Values{"columns": {"sample_retention_policies"}}, "overview")
	if err != nil || len(answer.Policies.Basic) == 0 {
		return 0, err
	}
	return time.Duration(slices.Max(answer.Policies.Basic)) * time.Second, nil
}

// history is the API's answer.
type history struct {
	Ready samples `json:"messages_ready_details"`
	Stats struct {
		Published samples `json:"publish_details"`
		Acked     samples `json:"ack_details"`
	} `json:"message_stats"`
}

// samples are numbers at times, the newest first. Of messages they count all since the start.
type samples struct {
	Samples []struct {
		Value int   `json:"sample"`
		At    int64 `json:"timestamp"` // in milliseconds, rounded up to the step
	} `json:"samples"`
}

// points joins the answer's samples by their times.
func (h history) points() []Point {
	at := map[int64]*Point{}
	var all []*Point
	point := func(ms int64) *Point {
		if at[ms] == nil {
			at[ms] = &Point{At: time.UnixMilli(ms)}
			all = append(all, at[ms])
		}
		return at[ms]
	}
	for _, s := range h.Ready.Samples {
		point(s.At).Ready = &s.Value
	}
	h.Stats.Published.rates(func(ms int64, rate float64) { point(ms).In = &rate })
	h.Stats.Acked.rates(func(ms int64, rate float64) { point(ms).Out = &rate })
	slices.SortFunc(all, func(a, b *Point) int { return a.At.Compare(b.At) })
	points := make([]Point, len(all))
	for i, p := range all {
		points[i] = *p
	}
	return points
}

// rates calls tell with how much a count has grown a second up to a time. A count that has become
// less began anew, and tells nothing.
func (s samples) rates(tell func(ms int64, rate float64)) {
	for i := 0; i+1 < len(s.Samples); i++ {
		now, before := s.Samples[i], s.Samples[i+1]
		if now.Value >= before.Value && now.At > before.At {
			tell(now.At, float64(now.Value-before.Value)*1000/float64(now.At-before.At))
		}
	}
}
