package sigstore

import (
	"context"
	"fmt"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"plimsoll.example/attest"
)

// maxSkew is how far a service's clock may be from this machine's.
const maxSkew = 5 * time.Minute

// timestamps asks each timestamp authority about a signature.
func (n *Notary) timestamps(ctx context.Context, sig []byte) (*attest.Timestamps, error) {
	if len(n.services.Timestamps) == 0 {
		return nil, nil
	}
	all := &attest.Timestamps{}
	for _, address := range n.services.Timestamps {
		signed, err := n.timestamp(ctx, address, sig)
		if err != nil {
			return nil, &ServiceError{"timestamp authority", address, withoutMethod(err)}
		}
		all.RFC3161 = append(all.RFC3161, attest.Timestamp{SignedTimestamp: signed})
	}
	return all, nil
}

func (n *Notary) timestamp(ctx context.Context, address string, sig []byte) (signed []byte, err error) {
	defer guard(&err)
	authority := sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: address, Timeout: -1, Transport: newClient(ctx, n.patience).Transport})
	signed, err = authority.GetTimestamp(ctx, sig)
	if err != nil {
		return nil, err
	}
	parsed, err := timestamp.ParseResponse(signed)
	if err != nil {
		return nil, err
	}
	if skew := time.Since(parsed.Time); skew > maxSkew || skew < -maxSkew {
		return nil, fmt.Errorf("its clock says %s, this machine's %s: one of the two is wrong",
			parsed.Time.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
	}
	return signed, nil
}
