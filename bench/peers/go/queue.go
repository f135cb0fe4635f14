package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A product's requests queue up in this instance. While there are any, one goroutine runs the
// queue: it takes the product's lease, applies all that wait in memory, commits them as one
// transaction, answers them, and looks again (group commit). tenure.go says when it gives the lease
// back, batch.go what a commit is.

const acquireTimeout = 10 * time.Second

type operation int

const (
	opReserve operation = iota
	opRelease
)

type outcome struct {
	done          bool // reserved, or released
	quantity      int64
	available     int64
	version       int64
	reservationID string
	expiresAt     time.Time
}

type request struct {
	op            operation
	invocation    string
	customer      string
	reservationID string
	quantity      int64
	deadline      time.Time
	answered      chan struct{}
	out           outcome
	err           error
}

type queue struct {
	id      string
	service *queues

	mu          sync.Mutex // guards the next five
	waiting     []*request
	running     bool
	wanted      int       // the runner is woken when so many wait; 0: it is not
	idleSince   time.Time // when nobody waited any more; zero: somebody does
	vainLingers int       // how often in a row nobody came back in time

	wake       chan struct{}
	othersWait atomic.Bool // another instance has announced that it waits

	// The runner's.
	tenure       tenure
	cache        *cachedProduct // nil: not known
	lastVersion  int64
	isFresh      bool  // the cache was read or committed under the lease in hand
	othersCommit bool  // between this instance's last two leases others have
	indexed      int64 // the minute of expiry that the index is known to have
}

type queues struct {
	store  *store
	leases *leaseManager
	log    *lineLog
	mu     sync.RWMutex
	byID   map[string]*queue
}

func newQueues(s *store, leases *leaseManager, log *lineLog) *queues {
	return &queues{store: s, leases: leases, log: log, byID: map[string]*queue{}}
}

func (s *queues) of(id string) *queue {
	s.mu.RLock()
	q := s.byID[id]
	s.mu.RUnlock()
	if q != nil {
		return q
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q = s.byID[id]; q == nil {
		q = &queue{id: id, service: s, wake: make(chan struct{}, 1)}
		s.byID[id] = q
	}
	return q
}

// submit carries the request out and returns when it is answered.
func (s *queues) submit(id string, r *request) (outcome, error) {
	now := time.Now()
	r.deadline = now.Add(acquireTimeout)
	r.answered = make(chan struct{})
	s.of(id).add(r, now)
	<-r.answered
	return r.out, r.err
}

func (q *queue) add(r *request, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, r)
	if !q.idleSince.IsZero() {
		q.vainLingers++
		if now.Sub(q.idleSince) <= lingerTime {
			q.vainLingers = 0
		}
		q.idleSince = time.Time{}
	}
	if !q.running {
		q.running = true
		go q.run(r)
	} else if q.wanted > 0 && len(q.waiting) >= q.wanted {
		q.wanted = 0
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// hasWaiting is whether so many wait; if not, the runner is woken when they do.
func (q *queue) hasWaiting(wanted int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= wanted {
		q.wanted = 0
		return true
	}
	q.wanted = wanted
	return false
}

// waitFor returns true as soon as so many wait, and false if they do not within the limit.
func (q *queue) waitFor(wanted int, limit time.Duration) bool {
	if q.hasWaiting(wanted) {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case <-q.wake: // which may be of an earlier wait
			if q.hasWaiting(wanted) {
				return true
			}
		case <-timer.C:
			return q.hasWaiting(wanted)
		}
	}
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

func (q *queue) take(most int) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.waiting)
	if n > most {
		n = most
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

// putBack makes them the first again.
func (q *queue) putBack(batch []*request) {
	if len(batch) > 0 {
		q.mu.Lock()
		q.waiting = append(batch, q.waiting...)
		q.mu.Unlock()
	}
}

// first is the request that has waited longest; nil ends the run.
func (q *queue) first() *request {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.waiting = nil
		q.running = false
		return nil
	}
	return q.waiting[0]
}

func (q *queue) run(r *request) {
	for ; r != nil; r = q.first() {
		l, err := q.acquire(r)
		if err != nil {
			q.fail(err)
			continue
		}
		q.service.log.printf("✓ Acquired lease %s for product %s [invocation %s]", l.id, q.id, r.invocation)
		yields := q.serveTenure(l)
		q.service.log.printf("Releasing lease %s for product %s", l.id, q.id)
		l.release()
		q.tenure.end(time.Now())
		if yields {
			time.Sleep(yieldTime)
		}
	}
}

// fail answers those whose time is up, or all where it is not about others who have the lease.
func (q *queue) fail(err error) {
	now := time.Now()
	var patient []*request
	for _, r := range q.take(q.length()) {
		if errors.Is(err, errConflict) && now.Before(r.deadline) {
			patient = append(patient, r)
			continue
		}
		r.err = err
		close(r.answered)
	}
	q.putBack(patient)
}

// ---- the lease

// minute is the one in which reservations of now expire.
func (q *queue) minute() int64 {
	return time.Now().Add(q.service.store.lifetime).Truncate(time.Minute).Unix()
}

// index sees to it that reconciliation will look at the product when reservations of now expire.
func (q *queue) index(ctx context.Context, minute int64) error {
	if q.indexed == minute {
		return nil
	}
	if err := q.service.store.index(ctx, q.id, minute); err != nil {
		return err
	}
	q.indexed = minute
	return nil
}

// acquire writes the index row at the same time: it must only be there before the commit.
func (q *queue) acquire(r *request) (*lease, error) {
	ctx := context.Background()
	if q.cache != nil && q.cache.indexed > q.indexed {
		q.indexed = q.cache.indexed
	}
	minute := q.minute()
	indexed := make(chan error, 1)
	if q.indexed == minute {
		indexed <- nil
	} else {
		go func() { indexed <- q.index(ctx, minute) }()
	}
	begun := time.Now()
	metOthers, announced := false, time.Time{}
	l, err := q.service.leases.acquire(ctx, "inventory-"+q.id, r.deadline, func() {
		now := time.Now()
		metOthers = true
		if now.Sub(begun) >= announceAfter && now.Sub(announced) >= announceEvery {
			announced = now
			go q.announce()
		}
	})
	indexErr := <-indexed
	if err != nil {
		return nil, err
	}
	if indexErr != nil {
		l.release()
		return nil, indexErr
	}
	q.tenure.begin(time.Now(), metOthers)
	q.isFresh = false
	return l, err
}

func (q *queue) announce() {
	if err := q.service.store.announce(context.Background(), q.id); err != nil {
		q.service.log.printf("warn: announcing a wait for product %s: %v", q.id, err)
	}
}

// lookForOthers asks storage now and then, beside the batches: nobody but the others can say that
// they wait.
func (q *queue) lookForOthers() {
	now := time.Now()
	if q.othersWait.Swap(false) {
		q.tenure.noteOthers(now)
	}
	if q.tenure.shouldCheck(now) {
		go func() {
			at, err := q.service.store.announced(context.Background(), q.id)
			if err != nil {
				q.service.log.printf("warn: reading who waits for product %s: %v", q.id, err)
			} else if time.Since(at) < 2*announceEvery {
				q.othersWait.Store(true)
			}
		}()
	}
}

// serveTenure serves batches until nobody comes any more, or it is time to yield; then it returns
// true.
func (q *queue) serveTenure(l *lease) bool {
	for l.isHeld() {
		q.collect()
		q.tenure.noteWindow(q.length())
		batch := q.take(maxChanges)
		if len(batch) == 0 {
			if q.linger() {
				continue
			}
			return false
		}
		q.lookForOthers()
		q.serve(l, batch)
		if q.tenure.shouldYield(time.Now()) {
			return true
		}
	}
	return false
}

// collect waits for callers that are about to come back, and goes on while some do.
func (q *queue) collect() {
	expected, limit := q.tenure.window()
	for i, before := 0, -1; i < windows && q.length() != before; i++ {
		before = q.length()
		if q.waitFor(expected, limit) {
			return
		}
	}
}

// linger keeps the lease for those who may come back; false: nobody has, or did for long.
func (q *queue) linger() bool {
	q.mu.Lock()
	lingers := q.vainLingers < maxVainLingers
	if len(q.waiting) == 0 {
		q.idleSince = time.Now()
	}
	q.mu.Unlock()
	return lingers && q.waitFor(1, lingerTime)
}
