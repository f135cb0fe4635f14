package main

import (
	"fmt"
	"io"
	"sync"
)

// lineLog writes lines in the background: all that have come in since the last write go out with
// the next.
type lineLog struct {
	prefix string
	mu     sync.Mutex
	lines  []byte
	some   chan struct{}
}

func newLineLog(w io.Writer, prefix string) *lineLog {
	l := &lineLog{prefix: prefix, some: make(chan struct{}, 1)}
	go l.write(w)
	return l
}

func (l *lineLog) printf(format string, args ...any) {
	l.mu.Lock()
	l.lines = append(l.lines, l.prefix...)
	l.lines = fmt.Appendf(l.lines, format, args...)
	l.lines = append(l.lines, '\n')
	l.mu.Unlock()
	select {
	case l.some <- struct{}{}:
	default:
	}
}

func (l *lineLog) write(w io.Writer) {
	var spare []byte
	for range l.some {
		l.mu.Lock()
		lines := l.lines
		l.lines = spare[:0]
		l.mu.Unlock()
		w.Write(lines)
		spare = lines
	}
}
