package main

import "time"

const (
	tenureTime     = 400 * time.Millisecond
	yieldTime      = 250 * time.Millisecond // longer than anybody's wait between two tries for the lease
	contentionTime = 10 * time.Second       // others are expected for so long after the last sign of them
	checkEvery     = time.Second            // between two looks for an announcement
	announceAfter  = 150 * time.Millisecond // whoever has waited for the lease for so long says so,
	announceEvery  = time.Second            // and says so again
	lingerTime     = 5 * time.Millisecond
	maxVainLingers = 16
	windowShare    = 10 // the window is a tenth of a commit,
	longestWindow  = 50 * time.Millisecond
	windows        = 3 // in a row, while callers return
	commitWeight   = 8 // of the last commits in the moving average
	mostSkipped    = 5 // at most 2 to the power of so many windows are left out in a row
)

// tenure decides for how long a product's lease is kept, and for how long the next batch waits for
// callers. It has neither clock nor timer: the queue's runner asks it.
//
// A lease is kept for as long as requests come. Where others want it, it is yielded after
// tenureTime.
type tenure struct {
	since          time.Time // when the lease was acquired; a short release in between does not count
	released       time.Time
	contendedUntil time.Time
	checked        time.Time     // when an announcement was looked for last
	commit         time.Duration // how long one takes, on average
	expected       int           // callers that the next batch waits for
	missed         int           // windows in a row to which fewer than half of the callers came back
	toSkip         int           // windows
}

func (t *tenure) begin(now time.Time, metOthers bool) {
	if metOthers {
		t.noteOthers(now)
	}
	if metOthers || now.Sub(t.released) >= yieldTime {
		t.since = now
	}
}

func (t *tenure) end(now time.Time) {
	t.released = now
	t.expected = 0
}

func (t *tenure) noteOthers(now time.Time) { t.contendedUntil = now.Add(contentionTime) }

func (t *tenure) shouldYield(now time.Time) bool {
	return now.Before(t.contendedUntil) && now.Sub(t.since) >= tenureTime
}

// shouldCheck is whether to look for an announcement now.
func (t *tenure) shouldCheck(now time.Time) bool {
	if now.Before(t.contendedUntil) || now.Sub(t.since) < checkEvery || now.Sub(t.checked) < checkEvery {
		return false
	}
	t.checked = now
	return true
}

// noteBatch notes a commit of so many requests, while others were waiting already.
func (t *tenure) noteBatch(answered, waiting int, duration time.Duration) {
	if t.commit == 0 {
		t.commit = duration
	}
	t.commit += (duration - t.commit) / commitWeight
	if t.toSkip > 0 {
		t.toSkip--
		t.expected = 0
	} else if t.expected = answered + waiting; t.expected > maxChanges {
		t.expected = maxChanges
	}
}

// window is for how many requests the next batch waits, and for how long: those that were just
// answered are about to come back, and without them two half-full batches would alternate.
func (t *tenure) window() (int, time.Duration) {
	limit := t.commit / windowShare
	if limit > longestWindow {
		limit = longestWindow
	}
	return t.expected, limit
}

// noteWindow notes how many had come at its end. Where callers do not come back, windows are tried
// ever more rarely.
func (t *tenure) noteWindow(waiting int) {
	if t.expected == 0 { // there was none
		return
	}
	if 2*waiting >= t.expected {
		t.missed = 0
	} else {
		if t.missed < mostSkipped {
			t.missed++
		}
		t.toSkip = 1 << t.missed
	}
	t.expected = 0
}
