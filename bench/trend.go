package main

// slope returns by how much y grows for each unit of x, by least squares. It is 0 for fewer than
// two different x.
func slope(x, y []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	var meanX, meanY float64
	for i := range x {
		meanX += x[i] / float64(len(x))
		meanY += y[i] / float64(len(x))
	}
	var xy, xx float64
	for i := range x {
		xy += (x[i] - meanX) * (y[i] - meanY)
		xx += (x[i] - meanX) * (x[i] - meanX)
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}

// trend is the growth of a process in an hour.
type trend struct {
	Live, RSS  float64 // MiB
	Goroutines float64
}

func trendOf(samples []vitals) trend {
	var hours, live, rss, routines []float64
	for _, s := range samples {
		hours = append(hours, s.Second/3600)
		live, rss, routines = append(live, s.Live), append(rss, s.RSS), append(routines, s.Goroutines)
	}
	return trend{Live: slope(hours, live), RSS: slope(hours, rss), Goroutines: slope(hours, routines)}
}
