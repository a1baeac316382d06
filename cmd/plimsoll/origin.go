package main

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
)

// originSuffix names the file beside a trust root that says when it was fetched.
const originSuffix = ".origin.json"

// originSchema names the JSON of such a file.
const originSchema = "https://plimsoll.example/schema/trust-origin/v1"

// An origin says where a trust root came from: `trust update` writes it.
type origin struct {
	Schema  string    `json:"schema"`
	Digest  string    `json:"digest"` // "sha256:HEX" of the root that it is about
	From    string    `json:"from"`
	Fetched time.Time `json:"fetched"`
	Expires time.Time `json:"expires"` // until when the origin vouches for it
	// Versions of the TUF metadata that vouched for it.
	RootVersion      int64 `json:"rootVersion"`
	TimestampVersion int64 `json:"timestampVersion"`
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// readOrigin returns what is known of a root of this digest. What is not there, or
// about another, tells nothing.
func readOrigin(file, digest string) (origin, bool) {
	data, err := readBounded(file, 1<<16)
	if err != nil {
		return origin{}, false
	}
	var o origin
	if jsonv2.Unmarshal(data, &o) != nil || o.Schema != originSchema || o.Digest != digest || o.Fetched.IsZero() || o.Expires.IsZero() {
		return origin{}, false
	}
	return o, true
}
