package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A product's requests queue up in this instance. One goroutine takes the product's lease, applies all that wait in
// memory, commits them as one transaction, answers them, and looks again (group commit). It keeps the lease for a few
// milliseconds after the queue is empty, and gives it back then or when its tenure is over and others wait.

const (
	acquireTimeout  = 10 * time.Second
	commitTime      = 5 * time.Second
	tenure          = time.Second
	yieldTime       = 250 * time.Millisecond // how long others have the lease to themselves
	announceEvery   = 500 * time.Millisecond
	contendedFor    = 2 * time.Second // how long others are reckoned with after they were met
	lingerTime      = 5 * time.Millisecond
	idleLingers     = 4  // after so many in vain, the lease is released at once,
	lingerProbe     = 16 // but for every so-manieth time
	maxTries        = 5
	busyBatch       = maxChanges / 2 // requests in a batch while expired rows wait to be deleted
	gatherShare     = 10             // a commit waits for a tenth of a round trip for callers that are about to return
	roundTripWeight = 8              // of the last ones in the moving average
)

// errIndex ends an attempt before anything is written.
var errIndex = errors.New("the index could not be written")

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

	mu      sync.Mutex
	waiting []*request
	running bool
	wanted  int // the runner is woken when so many wait
	wake    chan struct{}

	// The runner's.
	cache          *cachedProduct
	indexed        int64 // the minute of expiry that the index is known to have
	contendedUntil time.Time
	announcedAt    time.Time // by this instance, and
	heardAt        time.Time // by any, on storage's clock
	idleLingers    int
	roundTrip      time.Duration // of a commit, on average
	expected       int           // how many will wait once those who were just answered are back
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
	r.deadline = time.Now().Add(acquireTimeout)
	r.answered = make(chan struct{})
	q := s.of(id)
	q.mu.Lock()
	q.waiting = append(q.waiting, r)
	start := !q.running
	q.running = true
	wakes := q.wanted > 0 && len(q.waiting) >= q.wanted
	if wakes {
		q.wanted = 0
	}
	q.mu.Unlock()
	if start {
		go q.run(r)
	} else if wakes {
		q.wake <- struct{}{}
	}
	<-r.answered
	return r.out, r.err
}

// waitFor returns when `wanted` requests wait, or the time is over.
func (q *queue) waitFor(wanted int, limit time.Duration) {
	q.mu.Lock()
	if len(q.waiting) >= wanted {
		q.mu.Unlock()
		return
	}
	q.wanted = wanted
	q.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-q.wake:
		return
	case <-timer.C:
	}
	q.mu.Lock()
	missed := q.wanted == 0 // it was being woken just now
	q.wanted = 0
	q.mu.Unlock()
	if missed {
		<-q.wake
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
		q.expected = 0
		yields := q.serveTenure(l)
		q.service.log.printf("Releasing lease %s for product %s", l.id, q.id)
		l.release()
		if yields {
			time.Sleep(yieldTime)
		}
	}
}

// fail answers those whose time is up, or all where it is not about others who have the lease.
func (q *queue) fail(err error) {
	now := time.Now()
	for _, r := range q.take(q.length()) {
		if errors.Is(err, errConflict) && now.Before(r.deadline) {
			q.mu.Lock()
			q.waiting = append(q.waiting, r)
			q.mu.Unlock()
			continue
		}
		r.err = err
		close(r.answered)
	}
}

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
	l, err := q.service.leases.acquire(ctx, "inventory-"+q.id, r.deadline, q.meetOther)
	if indexErr := <-indexed; err == nil && indexErr != nil {
		l.release()
		return nil, indexErr
	}
	return l, err
}

// meetOther notes that another instance has the lease, and lets it know that this one waits.
func (q *queue) meetOther() {
	now := time.Now()
	q.contendedUntil = now.Add(contendedFor)
	if now.Sub(q.announcedAt) >= announceEvery {
		q.announcedAt = now
		go func() {
			if err := q.service.store.announce(context.Background(), q.id); err != nil {
				q.service.log.printf("warn: announcing a wait for product %s: %v", q.id, err)
			}
		}()
	}
}

// listen asks storage when others have announced that they wait, beside the commits.
func (q *queue) listen() <-chan time.Time {
	announced := make(chan time.Time, 1)
	go func() {
		at, err := q.service.store.announced(context.Background(), q.id)
		if err != nil {
			q.service.log.printf("warn: reading who waits for product %s: %v", q.id, err)
		}
		announced <- at
	}()
	return announced
}

// hears is whether that announcement is a new one.
func (q *queue) hears(at time.Time) bool {
	isNew := at.After(q.heardAt)
	if isNew {
		q.heardAt = at
	}
	return isNew
}

// serveTenure serves batches until nobody waits any more, or others want the lease; then it returns true.
func (q *queue) serveTenure(l *lease) bool {
	until := time.Now().Add(tenure)
	var announced <-chan time.Time // nil while storage is not being asked
	for {
		q.gather()
		batch := q.take(q.batchSize())
		if len(batch) == 0 {
			return false
		}
		q.serve(l, batch)
		select {
		case at := <-announced:
			if q.hears(at) {
				return true
			}
			announced, until = nil, time.Now().Add(tenure)
		default:
		}
		if now := time.Now(); announced == nil && now.After(until) {
			if now.Before(q.contendedUntil) {
				return true
			}
			announced = q.listen()
		}
		if q.length() == 0 && !q.linger() {
			return false
		}
	}
}

// gather waits a moment for those who were just answered, so that two half-full batches do not alternate.
func (q *queue) gather() {
	if q.expected > maxChanges {
		q.expected = maxChanges
	}
	q.waitFor(q.expected, q.roundTrip/gatherShare)
}

func (q *queue) batchSize() int {
	if q.cache != nil && len(q.cache.expired) > 0 {
		return busyBatch
	}
	return maxChanges
}

// linger keeps the lease for those who may come back; false: nobody has, or did lately.
func (q *queue) linger() bool {
	if q.idleLingers >= idleLingers && q.idleLingers%lingerProbe != 0 {
		q.idleLingers++
		return false
	}
	q.waitFor(1, lingerTime)
	if q.length() == 0 {
		q.idleLingers++
		return false
	}
	q.idleLingers = 0
	return true
}

// ---- one batch

func (q *queue) serve(l *lease, batch []*request) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTime)
	defer cancel()
	err := errLeaseLost
	for try := 0; try < maxTries; try++ {
		if err = q.attempt(ctx, l, batch); !errors.Is(err, errPrecondition) {
			break
		}
		q.cache = nil
	}
	if err != nil {
		q.cache = nil
	}
	q.expected = q.length() + len(batch)
	for _, r := range batch {
		if r.err = err; err == nil && r.out.done {
			q.logSuccess(l, r)
		}
		close(r.answered)
	}
}

func (q *queue) logSuccess(l *lease, r *request) {
	if r.op == opReserve {
		q.service.log.printf("✓ Successfully reserved %d units of %s. Reservation: %s Renewal count: %d [invocation %s]",
			r.quantity, q.id, r.out.reservationID, l.renewals.Load(), r.invocation)
	} else {
		q.service.log.printf("✓ Successfully released %d units of %s. Renewal count: %d [invocation %s]",
			r.out.quantity, q.id, l.renewals.Load(), r.invocation)
	}
}

// know makes the cache what is needed to decide at that time.
func (q *queue) know(ctx context.Context, now time.Time) (err error) {
	if q.cache == nil || now.After(q.cache.horizon) {
		q.cache, err = q.service.store.read(ctx, q.id, now)
		return err
	}
	q.cache.expire(now)
	return nil
}

// transaction is a batch as it is decided: what is to be written, and what is known once it is.
type transaction struct {
	next    product
	changes []change
	freed   int64
	added   []*reservation
	removed []string
	deleted int // of the expired ones
}

func (q *queue) attempt(ctx context.Context, l *lease, batch []*request) error {
	now := time.Now()
	cached := q.cache != nil
	if err := q.know(ctx, now); err != nil {
		return err
	}
	t := transaction{next: q.cache.product, freed: q.cache.freed}
	for i, r := range batch {
		room := maxChanges - len(t.changes) - (len(batch) - 1 - i) // one change is left for each request behind it
		if err := q.decide(ctx, &t, r, room, now); err != nil {
			return err
		}
	}
	if len(t.changes) == 0 {
		if cached { // a refusal must not rest on what was true once
			return errPrecondition
		}
		return nil
	}
	for len(t.changes) < maxChanges && q.deleteExpired(&t) {
	}
	if t.next.indexed = q.minute(); q.index(ctx, t.next.indexed) != nil {
		return errIndex
	}
	if !l.isHeld() {
		return errLeaseLost
	}
	t.next.version++
	begun := time.Now()
	etag, err := q.service.store.commit(ctx, &t.next, t.changes)
	if err != nil {
		return err
	}
	q.roundTrip += (time.Since(begun) - q.roundTrip) / roundTripWeight
	q.apply(&t, etag)
	return nil
}

func (q *queue) decide(ctx context.Context, t *transaction, r *request, room int, now time.Time) error {
	r.out = outcome{version: t.next.version + 1}
	if r.op == opRelease {
		return q.release(ctx, t, r, room, now)
	}
	for r.quantity > t.next.available && room > 1 && q.deleteExpired(t) {
		room--
	}
	if r.quantity <= t.next.available {
		added := q.service.store.newReservation(r.customer, r.quantity, now)
		t.next.available -= r.quantity
		t.changes = append(t.changes, change{"POST", added})
		t.added = append(t.added, added)
		r.out.done, r.out.reservationID, r.out.expiresAt = true, added.id, added.expiresAt
	}
	r.out.available = t.next.available + t.freed
	return nil
}

// release takes up to the quantity from the customer's reservations, the first to expire first.
func (q *queue) release(ctx context.Context, t *transaction, r *request, room int, now time.Time) error {
	rows, err := q.service.store.readCustomer(ctx, q.id, r.customer)
	if err != nil {
		return err
	}
	for _, row := range rows {
		isOther := r.reservationID != "" && row.id != r.reservationID
		if r.out.quantity == r.quantity || room == 0 {
			break
		}
		if isOther || !row.expiresAt.After(now) || t.changesRow(row.id) {
			continue
		}
		n := r.quantity - r.out.quantity
		if n > row.quantity {
			n = row.quantity
		}
		row.quantity -= n
		r.out.quantity += n
		room--
		t.removed = append(t.removed, row.id)
		if row.quantity == 0 {
			t.changes = append(t.changes, change{"DELETE", row})
		} else {
			t.changes = append(t.changes, change{"MERGE", row})
			t.added = append(t.added, row)
		}
	}
	t.next.available += r.out.quantity
	r.out.done = r.out.quantity > 0
	r.out.available = t.next.available + t.freed
	return nil
}

func (t *transaction) changesRow(id string) bool {
	for i := range t.changes {
		if t.changes[i].row.id == id {
			return true
		}
	}
	return false
}

// deleteExpired makes the units of one more expired row available in the product's; false: there is none.
func (q *queue) deleteExpired(t *transaction) bool {
	if t.deleted == len(q.cache.expired) {
		return false
	}
	r := q.cache.expired[t.deleted]
	t.deleted++
	t.changes = append(t.changes, change{"DELETE", r})
	t.next.available += r.quantity
	t.freed -= r.quantity
	return true
}

func (q *queue) apply(t *transaction, etag string) {
	c := q.cache
	c.product = t.next
	c.etag = etag
	c.freed = t.freed
	c.expired = c.expired[t.deleted:]
	for _, id := range t.removed {
		c.forget(id)
	}
	for _, r := range t.added {
		c.add(r)
	}
}
