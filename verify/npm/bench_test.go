package npm_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"plimsoll.example/verify/npm"
)

// BenchmarkAttestationSet checks one package with both attestations. The metric
// x-floor is how many times the least possible work that is: one P-384 and seven
// P-256 verifications, done in turn with it.
func BenchmarkAttestationSet(b *testing.B) {
	pkg, answer := vectorNamed(b, goodNew)
	c := checker(b)
	floor := newFloor(b)
	b.ReportAllocs()
	var set, least time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := npm.CheckAttestations(context.Background(), c, pkg, answer); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		floor.verify(b)
		set += middle.Sub(start)
		least += time.Since(middle)
	}
	b.ReportMetric(float64(set)/float64(least), "x-floor")
	b.ReportMetric(float64(set.Nanoseconds())/float64(b.N), "ns/set")
}

// floor is signatures to verify.
type floor []struct {
	key *ecdsa.PublicKey
	sig []byte
}

var floorDigest = sha256.Sum256([]byte("x"))

func newFloor(b *testing.B) floor {
	var f floor
	p256, p384 := elliptic.P256(), elliptic.P384()
	for _, curve := range []elliptic.Curve{p384, p256, p256, p256, p256, p256, p256, p256} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		sig, err := ecdsa.SignASN1(rand.Reader, key, floorDigest[:])
		if err != nil {
			b.Fatal(err)
		}
		f = append(f, struct {
			key *ecdsa.PublicKey
			sig []byte
		}{&key.PublicKey, sig})
	}
	return f
}

func (f floor) verify(b *testing.B) {
	for _, s := range f {
		if !ecdsa.VerifyASN1(s.key, floorDigest[:], s.sig) {
			b.Fatal("not valid")
		}
	}
}
