package main

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"io"
	"sync"
	"time"
)

// One system call serves many ids.
var (
	randomMu sync.Mutex
	random   = bufio.NewReaderSize(rand.Reader, 4096)
)

func randomBytes(b []byte) {
	randomMu.Lock()
	defer randomMu.Unlock()
	if _, err := io.ReadFull(random, b); err != nil {
		panic(err)
	}
}

func formatUUID(u *[16]byte) string {
	var b [36]byte
	hex.Encode(b[0:8], u[0:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:36], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

func newUUID() string {
	var u [16]byte
	randomBytes(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return formatUUID(&u)
}

// newReservationID begins with the time of expiry, so that ids sort by it (version 8 of RFC 9562).
func newReservationID(expires time.Time) string {
	var u [16]byte
	randomBytes(u[6:])
	putMillis(u[:6], expires)
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return formatUUID(&u)
}

func putMillis(b []byte, t time.Time) {
	ms := t.UnixMilli()
	for i := 5; i >= 0; i-- {
		b[i] = byte(ms)
		ms >>= 8
	}
}

// firstReservationID is the least id of a reservation that expires then.
func firstReservationID(expires time.Time) string {
	var u [16]byte
	putMillis(u[:6], expires)
	return formatUUID(&u)[:13]
}
