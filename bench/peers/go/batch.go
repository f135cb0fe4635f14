package main

import (
	"context"
	"errors"
	"time"
)

const (
	commitTime  = 5 * time.Second
	maxTries    = 5
	expireShare = (maxChanges + 1) / 2 // of a commit, kept for expired rows if so many wait to be deleted
	expireFew   = 8                    // that a commit deletes in any case
)

// errIndex ends an attempt before anything is written.
var errIndex = errors.New("the index could not be written")

// transaction is a batch as it is decided: what is to be written, and what is known once it is.
type transaction struct {
	next    product
	expired []*reservation // that wait to be deleted
	freed   int64          // their units
	changes []change
	added   []*reservation
	removed []string
	deleted int // of the expired ones
}

func (q *queue) serve(l *lease, batch []*request) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTime)
	defer cancel()
	decided, err := 0, errLeaseLost
	for try := 0; try < maxTries; try++ {
		if decided, err = q.attempt(ctx, l, batch); !errors.Is(err, errPrecondition) {
			break
		}
		q.cache = nil
	}
	if err != nil {
		q.cache = nil
		decided = len(batch) // all of it shares the failure
	}
	q.putBack(batch[decided:])
	for _, r := range batch[:decided] {
		if r.err = err; err == nil {
			r.out.version = q.cache.version
			q.logSuccess(l, r)
		}
		close(r.answered)
	}
}

func (q *queue) logSuccess(l *lease, r *request) {
	if !r.out.done {
		return
	}
	if r.op == opReserve {
		q.service.log.printf("✓ Successfully reserved %d units of %s. Reservation: %s Renewal count: %d [invocation %s]",
			r.quantity, q.id, r.out.reservationID, l.renewals.Load(), r.invocation)
	} else {
		q.service.log.printf("✓ Successfully released %d units of %s. Renewal count: %d [invocation %s]",
			r.out.quantity, q.id, l.renewals.Load(), r.invocation)
	}
}

// know makes the cache what is needed to decide at that time. Where others commit, a read costs
// less than a commit that storage refuses, and the read after it.
func (q *queue) know(ctx context.Context, now time.Time) (wasCached bool, err error) {
	if q.cache != nil && !now.After(q.cache.horizon) && (q.isFresh || !q.othersCommit) {
		q.cache.expire(now)
		return true, nil
	}
	if q.cache, err = q.service.store.read(ctx, q.id, now); err != nil {
		return false, err
	}
	q.othersCommit = q.lastVersion != 0 && q.cache.version != q.lastVersion
	if q.othersCommit {
		q.tenure.noteOthers(now)
	}
	q.isFresh, q.lastVersion = true, q.cache.version
	return false, nil
}

// attempt decides the batch and commits it. It returns how many requests it has decided; the others
// found no room.
func (q *queue) attempt(ctx context.Context, l *lease, batch []*request) (int, error) {
	now := time.Now()
	wasCached, err := q.know(ctx, now)
	if err != nil {
		return 0, err
	}
	t := transaction{next: q.cache.product, expired: q.cache.expired, freed: q.cache.freed,
		changes: make([]change, 0, len(batch)+expireFew), added: make([]*reservation, 0, len(batch))}
	decided := 0
	for decided < len(batch) {
		hasRoom, err := q.decide(ctx, &t, batch[decided], now)
		if err != nil {
			return 0, err
		}
		if !hasRoom {
			break
		}
		decided++
	}
	if len(t.changes) == 0 {
		if wasCached { // a refusal must not rest on what was true once
			return 0, errPrecondition
		}
		return decided, nil
	}
	t.expireAlong()
	return decided, q.commit(ctx, l, &t, decided)
}

func (q *queue) commit(ctx context.Context, l *lease, t *transaction, decided int) error {
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
	q.tenure.noteBatch(decided, q.length(), time.Since(begun))
	q.lastVersion = t.next.version
	q.cache.apply(t, etag)
	return nil
}

// ---- deciding

// decide returns false if the transaction has no room for the request.
func (q *queue) decide(ctx context.Context, t *transaction, r *request, now time.Time) (hasRoom bool, err error) {
	r.out = outcome{}
	if r.op == opReserve {
		hasRoom = t.reserve(q.service.store, r, now)
	} else {
		var rows []*reservation
		if rows, err = q.service.store.readCustomer(ctx, q.id, r.customer); err != nil {
			return false, err
		}
		hasRoom = t.release(r, rows, now)
	}
	r.out.available = t.next.available + t.freed
	return hasRoom, nil
}

// room is for how many more changes by requests there is room.
func (t *transaction) room() int {
	kept := expireShare
	if len(t.expired) < kept {
		kept = len(t.expired)
	}
	if kept -= t.deleted; kept < 0 {
		kept = 0
	}
	return maxChanges - len(t.changes) - kept
}

func (t *transaction) reserve(s *store, r *request, now time.Time) bool {
	if t.room() < 1 {
		return false
	}
	if r.quantity > t.next.available+t.freed {
		return true
	}
	for r.quantity > t.next.available && len(t.changes)+1 < maxChanges && t.deleteExpired() {
	}
	if r.quantity > t.next.available {
		return false
	}
	added := s.newReservation(r.customer, r.quantity, now)
	t.next.available -= r.quantity
	t.changes = append(t.changes, change{"POST", added})
	t.added = append(t.added, added)
	r.out.done, r.out.reservationID, r.out.expiresAt = true, added.id, added.expiresAt
	return true
}

// release takes up to the quantity from the customer's reservations, the first to expire first.
func (t *transaction) release(r *request, rows []*reservation, now time.Time) bool {
	room := t.room()
	if room < len(rows) && len(t.changes) > 0 {
		return false
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
	return true
}

func (t *transaction) changesRow(id string) bool {
	for i := range t.changes {
		if t.changes[i].row.id == id {
			return true
		}
	}
	return false
}

// deleteExpired makes the units of one more expired row available in the product's; false: there is
// none.
func (t *transaction) deleteExpired() bool {
	if t.deleted == len(t.expired) {
		return false
	}
	r := t.expired[t.deleted]
	t.deleted++
	t.changes = append(t.changes, change{"DELETE", r})
	t.next.available += r.quantity
	t.freed -= r.quantity
	return true
}

// expireAlong deletes as many expired rows as the requests change, and a few in any case.
func (t *transaction) expireAlong() {
	share := len(t.changes) - t.deleted
	if share < expireFew {
		share = expireFew
	}
	for t.deleted < share && len(t.changes) < maxChanges && t.deleteExpired() {
	}
}
