package oci

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// deadline ends requests that take too long, their answers' bodies included, which a
// registry could send a byte at a time for ever.
type deadline struct {
	http.RoundTripper
	within time.Duration
}

func (d deadline) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), d.within)
	response, err := d.RoundTripper.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &endingBody{response.Body, ctx, cancel, d.within}
	return response, nil
}

type endingBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelFunc
	within time.Duration
}

func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("the answer takes longer than %s", b.within)
	}
	return n, err
}

func (b *endingBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
