//go:build ignore

// Gen takes the public-good trust anchors out of the file seeds.json of the npm
// package @sigstore/tuf and writes them, with their origin, beside itself:
//
//	go run gen.go PACKAGE/seeds.json VERSION DATE
//
// seeds.json carries a TUF repository's targets as base64. The one whose name is
// a registry's host is npm's keys.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: go run gen.go SEEDS.json VERSION DATE")
	}
	seeds, version, date := os.Args[1], os.Args[2], os.Args[3]
	data, err := os.ReadFile(seeds)
	if err != nil {
		log.Fatal(err)
	}
	var repositories map[string]struct {
		Root    []byte            `json:"root.json"`
		Targets map[string][]byte `json:"targets"`
	}
	if err := json.Unmarshal(data, &repositories); err != nil {
		log.Fatal(err)
	}
	if len(repositories) != 1 {
		log.Fatalf("expected one TUF repository, found %d", len(repositories))
	}
	for _, repository := range repositories {
		var root struct {
			Signed struct {
				Version int    `json:"version"`
				Expires string `json:"expires"`
			} `json:"signed"`
		}
		if err := json.Unmarshal(repository.Root, &root); err != nil {
			log.Fatal(err)
		}
		origin := fmt.Sprintf("Taken %s from npm package @sigstore/tuf %s, seeds.json (sha256 %x),\nTUF root version %d, which expires %s.\n\n",
			date, version, sha256.Sum256(data), root.Signed.Version, root.Signed.Expires)
		for _, out := range []struct{ file, suffix string }{{"npm_keys.json", "keys.json"}, {"trusted_root.json", "trusted_root.json"}} {
			for name, content := range repository.Targets {
				if !strings.HasSuffix(name, out.suffix) {
					continue
				}
				if err := os.WriteFile(out.file, content, 0o644); err != nil {
					log.Fatal(err)
				}
				origin += fmt.Sprintf("%x  %s\n", sha256.Sum256(content), out.file)
			}
		}
		if err := os.WriteFile("ORIGIN", []byte(origin), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
