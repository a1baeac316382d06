package npmtest

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Misbehaviour is something that a registry does wrong. The zero value is none.
type Misbehaviour struct {
	wait    time.Duration
	times   int                                     // 0: always
	instead func(http.ResponseWriter)               // of an answer
	change  func(response) response                 // of the answer
	write   func(w http.ResponseWriter, r response) // in another way
}

// misbehaving is a misbehaviour at some paths; left counts down if it has times.
type misbehaving struct {
	prefix string
	Misbehaviour
	left int
}

// Slow answers after d, or when the client goes away. It goes along with another
// misbehaviour.
func Slow(d time.Duration) Misbehaviour { return Misbehaviour{wait: d} }

// Cut sends half of a body, whose length it has announced, and closes the connection.
func Cut() Misbehaviour {
	return Misbehaviour{write: func(w http.ResponseWriter, r response) {
		w.Header().Set("Content-Length", strconv.Itoa(len(r.body)))
		w.WriteHeader(r.status)
		w.Write(r.body[:len(r.body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // net/http: closes the connection, and logs nothing
	}}
}

// Status answers with a status, the first times (0: always), and with a Retry-After if
// that is not empty. After that, the answer is the right one.
func Status(code, times int, retryAfter string) Misbehaviour {
	return Misbehaviour{times: times, instead: func(w http.ResponseWriter) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", kindJSON)
		w.WriteHeader(code)
		w.Write(failure(code, http.StatusText(code)).body)
	}}
}

// WrongBytes answers with one bit changed in the middle of the body.
func WrongBytes() Misbehaviour {
	return Misbehaviour{change: func(r response) response {
		r.body = bytes.Clone(r.body)
		r.body[len(r.body)/2] ^= 1
		return r
	}}
}

// RedirectTo answers 302 with this address, as it stands.
func RedirectTo(address string) Misbehaviour {
	return Misbehaviour{instead: func(w http.ResponseWriter) {
		w.Header().Set("Location", address)
		w.WriteHeader(http.StatusFound)
	}}
}

// Huge answers with the right body and then spaces, n bytes together, whose number is
// not announced: as JSON it is as good as the right body.
func Huge(n int64) Misbehaviour {
	return Misbehaviour{write: func(w http.ResponseWriter, r response) {
		w.WriteHeader(r.status)
		w.Write(r.body)
		spaces := bytes.Repeat([]byte{' '}, 64<<10)
		for left := n - int64(len(r.body)); left > 0; left -= int64(len(spaces)) {
			if _, err := w.Write(spaces[:min(left, int64(len(spaces)))]); err != nil {
				return
			}
		}
	}}
}

// Body answers 200 with other bytes.
func Body(replacement []byte) Misbehaviour {
	return Misbehaviour{change: func(r response) response {
		r.status, r.body = http.StatusOK, replacement
		return r
	}}
}

// Edit answers with what edit makes of the right body.
func Edit(edit func(body []byte) []byte) Misbehaviour {
	return Misbehaviour{change: func(r response) response {
		r.body = edit(bytes.Clone(r.body))
		return r
	}}
}

// Misbehave makes the registry do something wrong at the paths that begin with
// pathPrefix ("/", "/foo", "/-/npm/v1/attestations/"), with or without their escapes.
// Of several that apply, [Slow] ones add up, and of the others the newest is done.
func (r *Registry) Misbehave(pathPrefix string, m Misbehaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.misbehaves = append(r.misbehaves, &misbehaving{prefix: pathPrefix, Misbehaviour: m, left: m.times})
}

// Behave ends all misbehaviour.
func (r *Registry) Behave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.misbehaves = nil
}

// misbehaviour returns what to do wrong with a request for a path, and how long to
// wait before. The caller holds the lock.
func (r *Registry) misbehaviour(paths ...string) (wait time.Duration, do Misbehaviour) {
	found := false
	for i := len(r.misbehaves) - 1; i >= 0; i-- {
		m := r.misbehaves[i]
		applies := false
		for _, p := range paths {
			applies = applies || strings.HasPrefix(p, m.prefix)
		}
		switch {
		case !applies || m.times > 0 && m.left == 0:
		case m.wait > 0:
			wait += m.wait
		case !found:
			found, do = true, m.Misbehaviour
			m.left--
		}
	}
	return wait, do
}

// sleep returns whether the client is still there.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
