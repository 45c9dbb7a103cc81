package snapshot

// Reading is one error queue that somebody looks at. It is safe for many goroutines.
type Reading struct{}

// Snapshot returns what there is to see: that of the last pass that has read all, or else the one
// that is read now, or else that of the last pass. It is nil before the first pass.
func (r *Reading) Snapshot() *Snapshot { return nil }

// Running returns the snapshot of the pass that runs, nil if none does.
func (r *Reading) Running() *Snapshot { return nil }

// Version returns a snapshot by its number, nil if it is dropped. One is kept for 5 minutes after
// the next one.
func (r *Reading) Version(n int) *Snapshot { return nil }

// Progress says how far the Reading is.
func (r *Reading) Progress() Progress { return Progress{} }

// Begin begins a pass, unless one runs.
func (r *Reading) Begin() {}

// Watch returns a channel that tells of changes, at most once a second, until stop is called. What
// it tells is the version of the newest Snapshot: its content, or the Progress, has changed. The
// queue is watched meanwhile: passes may begin by themselves.
func (r *Reading) Watch() (changes <-chan int, stop func()) { return nil, func() {} }
