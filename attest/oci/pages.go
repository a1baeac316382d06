package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	// maxPages bounds the pages of one list of referrers, of 1,000 with 10 on each.
	maxPages = 100
	// maxList bounds the bytes of all of them.
	maxList = 32 << 20
)

// joinPages makes one list of referrers of those that a registry gives on several pages
// (OCI distribution specification 1.1, "Listing Referrers"): the library reads the first
// and no other, and what is not listed would be missing without a word. first is the
// answer to r.
func (t noteReferrers) joinPages(r *http.Request, first *http.Response) (*http.Response, error) {
	var list map[string]json.RawMessage
	var all []json.RawMessage
	left, page := int64(maxList), first
	for range maxPages {
		data, err := io.ReadAll(io.LimitReader(page.Body, left+1))
		page.Body.Close()
		if err != nil {
			return nil, err
		}
		if left -= int64(len(data)); left < 0 {
			return nil, fmt.Errorf("the list of referrers is longer than %d bytes", maxList)
		}
		var here struct {
			Manifests []json.RawMessage `json:"manifests"`
		}
		if list == nil {
			err = json.Unmarshal(data, &list)
		}
		if err == nil {
			err = json.Unmarshal(data, &here)
		}
		if err == nil && list == nil {
			err = errors.New("it is null")
		}
		if err != nil {
			return nil, fmt.Errorf("a page of the list of referrers does not parse: %w", err)
		}
		all = append(all, here.Manifests...)
		link := nextLink(page.Header)
		if link == "" || len(all) > maxReferrers {
			return joined(first, list, all)
		}
		if page, err = t.nextPage(r, link); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the list of referrers has more than %d pages", maxPages)
}

// nextPage asks for a page where the first was, whatever host link names: the request
// carries credentials.
func (t noteReferrers) nextPage(r *http.Request, link string) (*http.Response, error) {
	u, err := r.URL.Parse(link)
	if err != nil || u.Path != r.URL.Path {
		return nil, fmt.Errorf("the list of referrers goes on at %.200q, which is no page of it", link)
	}
	next := r.Clone(r.Context())
	next.URL.RawQuery = u.RawQuery
	page, err := t.RoundTripper.RoundTrip(next)
	if err != nil {
		return nil, err
	}
	if page.StatusCode != http.StatusOK {
		page.Body.Close()
		return nil, fmt.Errorf("a page of the list of referrers is not there: %s", page.Status)
	}
	return page, nil
}

// joined is the first page with everybody's manifests.
func joined(first *http.Response, list map[string]json.RawMessage, all []json.RawMessage) (*http.Response, error) {
	manifests, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	list["manifests"] = manifests
	data, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	first.Body, first.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	first.Header.Del("Link")
	first.Header.Set("Content-Length", strconv.Itoa(len(data)))
	return first, nil
}

// nextLink is the address of the next page (RFC 8288), or "".
func nextLink(header http.Header) string {
	for _, value := range header.Values("Link") {
		for {
			_, rest, ok := strings.Cut(value, "<")
			if !ok {
				break
			}
			address, rest, ok := strings.Cut(rest, ">")
			if !ok {
				break
			}
			parameters, _, _ := strings.Cut(rest, "<")
			for p := range strings.FieldsFuncSeq(parameters, func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
				if p = strings.ToLower(p); p == `rel="next"` || p == "rel=next" {
					return address
				}
			}
			value = rest
		}
	}
	return ""
}
