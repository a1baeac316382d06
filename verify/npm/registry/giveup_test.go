package registry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestNobodyAnswers: a registry that is down is not asked about each package, and one that
// answers now and then, or with an error, is.
func TestNobodyAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	listener.Close()
	c := clientFor(t, address, Options{})
	for i := range mostFailures {
		if _, err := c.Packument(context.Background(), fmt.Sprint("foo", i)); err == nil || strings.Contains(err.Error(), "in a row") {
			t.Fatalf("question %d: %v", i, err)
		}
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	if listener, err = net.Listen("tcp", strings.TrimPrefix(address, "http://")); err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	_, err = c.Packument(context.Background(), "foo")
	if want := address + " did not answer 16 times in a row and is not asked again"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("found %v", err)
	}
	noToken(t, err)
	if answer, err := clientFor(t, address, Options{}).Packument(context.Background(), "foo"); err != nil || answer.Status != 404 {
		t.Errorf("found %+v, %v", answer, err)
	}

	for _, status := range []int{404, 500} {
		s, _ := serve(t, func(w http.ResponseWriter, q *http.Request) {
			if strings.HasPrefix(q.URL.Path, "/cut") {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
		})
		c := clientFor(t, s.URL, Options{})
		for i := range 3 * mostFailures {
			name := fmt.Sprint("cut", i)
			if i%(mostFailures-1) == 0 {
				name = "foo"
			}
			if _, err := c.Packument(context.Background(), name); err != nil && strings.Contains(err.Error(), "in a row") {
				t.Fatalf("status %d, question %d: %v", status, i, err)
			}
		}
	}
}
