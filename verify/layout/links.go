package layout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/in-toto/in-toto-golang/in_toto"
	"golang.org/x/sync/errgroup"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// linkJSON is a link as the specification has it. Byproducts stay raw: which number a
// return value is must not depend on how it is written.
type linkJSON struct {
	Type        string                      `json:"_type"`
	Name        string                      `json:"name"`
	Command     []string                    `json:"command"`
	Materials   map[string]attest.DigestSet `json:"materials"`
	Products    map[string]attest.DigestSet `json:"products"`
	ByProducts  map[string]jsontext.Value   `json:"byproducts"`
	Environment jsontext.Value              `json:"environment"`
}

// A link is one that a functionary of its step signed.
type link struct {
	linkJSON
	file    string
	key     in_toto.Key
	doc     *document
	problem error // why it is unusable; then Name alone means something, and is unverified
}

// collect sorts the links by step. What is no link of the layout's, or by nobody whom it
// names, is unusable and has no say.
func (l *verified) collect(ctx context.Context, files []Link) (map[string][]*link, []Unusable, error) {
	total := 0
	for _, file := range files {
		total += len(file.Data)
	}
	if len(files) > MaxLinks || total > MaxLinkBytes {
		return nil, nil, linkMissing(fmt.Sprintf("at most %d link files of %d bytes together", MaxLinks, MaxLinkBytes),
			fmt.Sprintf("%d of %d", len(files), total), "give only the links of the layout's steps")
	}
	found, err := l.readAll(ctx, files)
	if err != nil {
		return nil, nil, err
	}
	links, unusable := map[string][]*link{}, []Unusable(nil)
	for i, file := range files {
		found := found[i]
		if found.problem != nil {
			unusable = append(unusable, Unusable{file.Name, found.Name, found.problem.Error()})
			continue
		}
		same := func(other *link) bool { return other.key.KeyID == found.key.KeyID }
		if i := slices.IndexFunc(links[found.Name], same); i < 0 {
			links[found.Name] = append(links[found.Name], found)
		} else if other := links[found.Name][i]; !bytes.Equal(other.doc.message, found.doc.message) {
			return nil, unusable, refused(verify.CodeLayoutRuleFalse, fmt.Sprintf("one link for step %s by key %s", quote(found.Name), found.key.KeyID),
				fmt.Sprintf("two that differ, %s and %s", quote(other.file), quote(file.Name)), "find out which of them belongs to this artifact, and remove the other")
		}
	}
	for _, step := range l.Steps {
		slices.SortFunc(links[step.Name], func(a, b *link) int { return strings.Compare(a.key.KeyID, b.key.KeyID) })
		if n := len(links[step.Name]); n < step.Threshold {
			return nil, unusable, linkMissing(fmt.Sprintf("links for step %s by %d of %s", quote(step.Name), step.Threshold, listed(step.PubKeys)),
				fmt.Sprintf("%d%s", n, reasons(unusable, step.Name)), "")
		}
	}
	return links, unusable, nil
}

// readAll reads every link, on every core, and keeps their order. An error is no
// decision: ctx ended, or a reader crashed.
func (l *verified) readAll(ctx context.Context, files []Link) ([]*link, error) {
	links := make([]*link, len(files))
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i, file := range files {
		workers.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("reading link %s: internal error: %v", quote(file.Name), p)
				}
			}()
			if err := ctx.Err(); err != nil {
				return err
			}
			links[i] = &link{}
			links[i].problem = l.readLink(file, links[i])
			return nil
		})
	}
	return links, workers.Wait()
}

// reasons says why links that may have been a step's were not usable.
func reasons(unusable []Unusable, step string) string {
	const most = 3
	unusable = slices.DeleteFunc(slices.Clone(unusable), func(u Unusable) bool { return u.Step != "" && u.Step != step })
	slices.SortStableFunc(unusable, func(a, b Unusable) int { return strings.Compare(b.Step, a.Step) }) // those that name it first
	var b strings.Builder
	for i, u := range unusable {
		if i == most {
			fmt.Fprintf(&b, "; and %d more unusable", len(unusable)-most)
			break
		}
		fmt.Fprintf(&b, "; %s is unusable: %s", quote(u.Link), u.Reason)
	}
	return b.String()
}

// readLink reads one link and verifies its signature. Beside an error found is unusable,
// but for the name of the step that it says it is about.
func (l *verified) readLink(file Link, found *link) error {
	if len(file.Data) > MaxLink {
		return fmt.Errorf("expected at most %d bytes, found %d", MaxLink, len(file.Data))
	}
	doc, err := parseDocument(file.Data)
	if err != nil {
		return err
	}
	found.file, found.doc, found.Name = file.Name, doc, doc.head.Name
	switch doc.head.Type {
	case "link":
	case "layout":
		return errors.New("it is a layout: sublayouts are not supported")
	default:
		return fmt.Errorf("expected a link, found _type %s; plimsoll run writes links for layouts with --layout-link", quote(doc.head.Type))
	}
	step := slices.IndexFunc(l.Steps, func(s in_toto.Step) bool { return s.Name == doc.head.Name })
	if step < 0 {
		return fmt.Errorf("it is about step %s, which the layout does not have", quote(doc.head.Name))
	}
	if n := len(doc.signatures); n != 1 {
		return fmt.Errorf("expected one signature, found %d", n)
	}
	id := doc.signatures[0].KeyID
	if !slices.Contains(l.Steps[step].PubKeys, id) {
		return fmt.Errorf("the layout names no key %s for step %s", quote(id), quote(doc.head.Name))
	}
	found.key = l.functionaries[id].key
	if err := strict(doc.signed, &found.linkJSON); err != nil {
		return err
	}
	if err := errors.Join(checkArtifacts("materials", found.Materials), checkArtifacts("products", found.Products)); err != nil {
		return err
	}
	if err := doc.VerifySignature(found.key); err != nil {
		return fmt.Errorf("the signature is not by key %s over this link", quote(id))
	}
	return nil
}

// checkArtifacts wants names that can be written in one way only, and digests that can
// be compared. in-toto-golang cleans names: of a/b and ./a/b one would hide the other.
func checkArtifacts(kind string, artifacts map[string]attest.DigestSet) error {
	if artifacts == nil {
		return fmt.Errorf("it has no %s, not even none ({})", kind)
	}
	for name, digests := range artifacts {
		if err := guardPath(name); err != nil {
			return fmt.Errorf("%s: %s: %w", kind, quote(name), err)
		}
		if err := digests.WellFormed(); err != nil {
			return fmt.Errorf("%s: %s: %w", kind, quote(name), err)
		}
		if digests["sha256"] == "" && digests["sha512"] == "" {
			return fmt.Errorf("%s: %s: expected a sha256 or sha512", kind, quote(name))
		}
		for algorithm, digest := range digests {
			if digest == "" || len(algorithm)+len(digest) > maxText || strings.Trim(digest, "0123456789abcdef") != "" {
				return fmt.Errorf("%s: %s: digest %s is not lower-case hexadecimal", kind, quote(name), quote(algorithm))
			}
		}
	}
	return nil
}
