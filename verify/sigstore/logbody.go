package sigstore

import (
	"bytes"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// checkBody demands that what a Rekor v2 entry says it logged is what its proof is
// about. sigstore-go makes the logged entry anew from the bundle and verifies that; the
// body in the bundle is not looked at, and another tool may show it.
func checkBody(entry *tlog.Entry) error {
	if !entry.IsRekorV2() || !entry.HasInclusionProof() {
		return nil
	}
	message := entry.TransparencyLogEntry()
	given := message.GetInclusionProof()
	var checkpoint log.Checkpoint
	if _, err := checkpoint.Unmarshal([]byte(given.GetCheckpoint().GetEnvelope())); err != nil {
		return fmt.Errorf("reading the log's checkpoint: %w", err)
	}
	if root := given.GetRootHash(); len(root) > 0 && !bytes.Equal(root, checkpoint.Hash) {
		return fmt.Errorf("the proof's root hash is not that of the log's checkpoint")
	}
	if message.GetLogIndex() < 0 {
		return fmt.Errorf("the entry's index is negative")
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(message.GetCanonicalizedBody())
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(message.GetLogIndex()), checkpoint.Size, leaf, given.GetHashes(), checkpoint.Hash); err != nil {
		return fmt.Errorf("the entry's body is not what the log holds: %w", err)
	}
	return nil
}
