package sbom

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"io"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func hashArtifact(f io.ReadSeeker, name string) (*Artifact, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	h256, h512 := sha256.New(), sha512.New()
	if _, err := io.CopyBuffer(io.MultiWriter(h256, h512), struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		return nil, err
	}
	return &Artifact{Name: name, SHA256: hex.EncodeToString(h256.Sum(nil)), SHA512: hex.EncodeToString(h512.Sum(nil))}, nil
}

func fileHashes(sha256, sha512 string) *[]cdx.Hash {
	return &[]cdx.Hash{
		{Algorithm: cdx.HashAlgoSHA256, Value: sha256},
		{Algorithm: cdx.HashAlgoSHA512, Value: sha512},
	}
}

// describeArtifact makes a component the file that was built.
func describeArtifact(c *cdx.Component, a Artifact) {
	c.Hashes = fileHashes(a.SHA256, a.SHA512)
	removeProperty(c, "plimsoll:unknown:hash")
	removeProperty(c, logical)
	addProperty(c, "plimsoll:artifact:file", a.Name)
	// What a file can be told to be without running it; a binary has a header that
	// says what is in it.
	addFileProperties(c, a.Name, "executable", "no archive", "structured")
	if c.PackageURL != "" {
		addReference(c, cdx.ExternalReference{Type: cdx.ERTypeDistribution, URL: c.PackageURL, Hashes: c.Hashes})
	}
}

// addFileProperties adds what BSI TR-03183-2 wants to know of a component's file
// (property taxonomy of the BSI, bsi:component).
func addFileProperties(c *cdx.Component, name, executable, archive, structured string) {
	addProperty(c, "bsi:component:filename", name)
	addProperty(c, "bsi:component:executable", executable)
	addProperty(c, "bsi:component:archive", archive)
	addProperty(c, "bsi:component:structured", structured)
}

func removeProperty(c *cdx.Component, name string) {
	if c.Properties == nil {
		return
	}
	var kept []cdx.Property
	for _, p := range *c.Properties {
		if p.Name != name {
			kept = append(kept, p)
		}
	}
	if c.Properties = &kept; len(kept) == 0 {
		c.Properties = nil
	}
}
