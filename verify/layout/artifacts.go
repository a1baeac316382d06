package layout

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// align gives in-toto-golang the digests that all links have in common. It compares sets
// of digests whole: a file with a sha256 in one link and a sha256 and a sha512 in
// another were modified to it. What is left out is checked here: whatever shares one
// digest must share all.
func align(links map[string][]*link) error {
	common := []string{"sha256", "sha512"}
	each(links, func(_ *link, _ string, digests attest.DigestSet) {
		common = slices.DeleteFunc(common, func(algorithm string) bool { return digests[algorithm] == "" })
	})
	if len(common) == 0 {
		return refused(verify.CodeLayoutRuleFalse, "links that have sha256, or that have sha512, of every file", "links of which some have the one and some the other", "record all steps with the same digests; plimsoll run records both")
	}
	known := map[string]attest.DigestSet{}
	var contradiction error
	each(links, func(link *link, name string, digests attest.DigestSet) {
		for _, algorithm := range common {
			if contradicts(known, algorithm+":"+digests[algorithm], digests) && contradiction == nil {
				contradiction = refused(verify.CodeLayoutRuleFalse, "files with the same "+algorithm+" that have all other digests in common too",
					fmt.Sprintf("%s in %s has another", quote(name), quote(link.file)), "one of the links is forged, or damaged: repeat the steps")
			}
		}
	})
	for _, list := range links {
		for _, link := range list {
			link.doc.payload = in_toto.Link{Type: "link", Name: link.Name, Materials: only(common, link.Materials), Products: only(common, link.Products)}
		}
	}
	return contradiction
}

// each visits all artifacts, in the order of their steps' and their own names.
func each(links map[string][]*link, do func(l *link, name string, digests attest.DigestSet)) {
	for _, step := range slices.Sorted(maps.Keys(links)) {
		for _, link := range links[step] {
			for _, artifacts := range []map[string]attest.DigestSet{link.Materials, link.Products} {
				for _, name := range slices.Sorted(maps.Keys(artifacts)) {
					do(link, name, artifacts[name])
				}
			}
		}
	}
}

// contradicts notes the digests of what has this one, and says whether they differ from
// those that were noted before.
func contradicts(known map[string]attest.DigestSet, digest string, digests attest.DigestSet) bool {
	before, ok := known[digest]
	if !ok {
		known[digest] = digests
		return false
	}
	for algorithm, value := range digests {
		switch old, there := before[algorithm]; {
		case there && old != value:
			return true
		case !there:
			before = maps.Clone(before)
			before[algorithm] = value
			known[digest] = before
		}
	}
	return false
}

func only(algorithms []string, artifacts map[string]attest.DigestSet) map[string]in_toto.HashObj {
	reduced := make(map[string]in_toto.HashObj, len(artifacts))
	for name, digests := range artifacts {
		kept := make(in_toto.HashObj, len(algorithms))
		for _, algorithm := range algorithms {
			kept[algorithm] = digests[algorithm]
		}
		reduced[name] = kept
	}
	return reduced
}

// product finds the artifact among a step's products: in every link that counted, with
// all digests that both have.
func product(links []*link, step string, artifact attest.DigestSet) ([]string, error) {
	if err := errors.Join(artifact.WellFormed(), strong(artifact)); err != nil {
		return nil, refused(verify.CodeLayoutProductMissing, "the artifact's sha256 or sha512", err.Error(), "compute the artifact's digests from its bytes")
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(links[0].Products)) {
		if !slices.ContainsFunc(links, func(l *link) bool { return !is(l.Products[name], artifact) }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, refused(verify.CodeLayoutProductMissing, fmt.Sprintf("the artifact (%s) among the products of step %s", digestText(artifact), quote(step)),
			fmt.Sprintf("%d products, none of them it: %s", len(links[0].Products), listed(slices.Sorted(maps.Keys(links[0].Products)))), "")
	}
	return names, nil
}

func strong(d attest.DigestSet) error {
	if d["sha256"] == "" && d["sha512"] == "" {
		return errors.New("neither")
	}
	return nil
}

// is says whether digests are of one and the same file.
func is(a, b attest.DigestSet) bool {
	common := false
	for algorithm, value := range a {
		other, there := b[algorithm]
		if there && other != value {
			return false
		}
		common = common || there && (algorithm == "sha256" || algorithm == "sha512")
	}
	return common
}

func digestText(d attest.DigestSet) string {
	if d["sha256"] != "" {
		return "sha256:" + d["sha256"]
	}
	return "sha512:" + d["sha512"]
}
