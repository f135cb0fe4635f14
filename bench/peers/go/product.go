package main

import (
	"container/heap"
	"time"
)

type reservation struct {
	id         string
	customerID string
	quantity   int64
	reservedAt time.Time
	expiresAt  time.Time
}

// product is the product's row. Units that are in no reservation's row are available.
type product struct {
	id        string
	total     int64
	available int64
	version   int64
	indexed   int64 // the minute of expiry that the index has a row for, in Unix seconds
	etag      string
}

// byExpiry is a heap of reservations, the one that expires first on top.
type byExpiry []*reservation

func (h byExpiry) Len() int           { return len(h) }
func (h byExpiry) Less(i, j int) bool { return h[i].expiresAt.Before(h[j].expiresAt) }
func (h byExpiry) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byExpiry) Push(x any)        { *h = append(*h, x.(*reservation)) }
func (h *byExpiry) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}

// cachedProduct is what an instance knows of a product between commits: its row, and the
// reservations that expire before horizon. A commit with the row's ETag proves it right, or fails.
type cachedProduct struct {
	product
	horizon time.Time
	soon    byExpiry       // not yet expired
	expired []*reservation // still rows in storage; their units count as available
	freed   int64          // those units
}

// expire moves what has expired by now.
func (c *cachedProduct) expire(now time.Time) {
	for len(c.soon) > 0 && !c.soon[0].expiresAt.After(now) {
		r := heap.Pop(&c.soon).(*reservation)
		c.expired = append(c.expired, r)
		c.freed += r.quantity
	}
}

func (c *cachedProduct) add(r *reservation) {
	if r.expiresAt.Before(c.horizon) {
		heap.Push(&c.soon, r)
	}
}

func (c *cachedProduct) forget(id string) {
	for i, r := range c.soon {
		if r.id == id {
			heap.Remove(&c.soon, i)
			return
		}
	}
}

// apply makes it what a transaction has committed.
func (c *cachedProduct) apply(t *transaction, etag string) {
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
