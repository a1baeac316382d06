package registry

import (
	"fmt"
	"sync"
)

// mostFailures is how many questions in a row may find nobody who answers, each after its
// repetitions, before a registry is not asked any more: one that is down would else take
// minutes to say so of each package.
const mostFailures = mostRequests

// patience counts them, by the origin that was asked. A status such as 500 is an answer:
// of another package there may be a better one.
type patience struct {
	mu     sync.Mutex
	failed map[string]int
	last   map[string]error
}

// lost returns why an origin is not asked any more, or nil.
func (p *patience) lost(origin string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed[origin] < mostFailures {
		return nil
	}
	return fmt.Errorf("%s did not answer %d times in a row and is not asked again: %w", origin, mostFailures, p.last[origin])
}

// note counts what became of a question.
func (p *patience) note(origin string, failure error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed, p.last = map[string]int{}, map[string]error{}
	}
	if p.failed[origin]++; failure == nil {
		p.failed[origin] = 0
	}
	p.last[origin] = failure
}
