package layout

import (
	"context"
	"crypto"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// Bounds of what is read. What is over them is refused, never cut.
const (
	MaxLayout     = 4 << 20   // bytes of a layout
	MaxLink       = 32 << 20  // bytes of a link
	MaxLinkBytes  = 256 << 20 // bytes of all links
	MaxLinks      = 1024
	MaxSteps      = 256
	MaxRules      = 512 // of a step's materials, and of its products
	MaxKeys       = 1024
	MaxSignatures = 32 // of a layout
	maxDepth      = 32 // of nested JSON
	maxText       = 200
)

// Input is what a check rests on.
type Input struct {
	Layout   []byte             // the signed layout as it was found, unverified
	Owners   []crypto.PublicKey // who may sign the layout; a valid signature by one of them suffices
	Links    []Link             // the links as they were found, unverified
	Step     string             // the step among whose products the artifact must be
	Artifact attest.DigestSet   // computed by the caller from the bytes that will be used
	Now      time.Time          // decides whether the layout has expired; the zero time is refused
}

// A Link is a link file as it was found. Nothing is concluded from its name.
type Link struct {
	Name string
	Data []byte
}

// A Result says what an accepted artifact rests on. Beside an error only Unusable is
// set: there is no result that means "yes" but one whose error is nil.
type Result struct {
	Owners   []string   // the owners who validly signed the layout, as attest.KeyID, sorted
	Expires  time.Time  // when the layout expires
	Steps    []StepInfo // in the layout's order
	Products []string   // the products of the artifact's step that are the artifact, sorted
	Unusable []Unusable // links that counted for nothing, in the order of Input.Links
}

// StepInfo says who vouched for a step.
type StepInfo struct {
	Name           string
	Threshold      int
	Functionaries  []Functionary // whose links counted, sorted by KeyID
	CommandChecked bool          // false where the layout expects no command: any was accepted
}

// A Functionary is who made a link that counted.
type Functionary struct {
	KeyID string // as the layout counts key ids
	Key   string // as attest.KeyID
	Link  string // the name of the link file
}

// Unusable is a link that counted for nothing. Anyone can add a file to a folder, so
// that it is there denies nothing by itself.
type Unusable struct {
	Link   string
	Step   string // which it says it is about, unverified; empty if it is no link at all
	Reason string
}

// Check verifies that the artifact is a product of a step of the layout, that each step
// of the layout was performed by as many of its functionaries as it demands, and that
// the links of all steps obey the layout's rules. Errors are *verify.Refusal, except
// where ctx ended.
//
// The owners' keys must come from the caller's policy, never from beside the layout.
// What the links say is what functionaries say: Check proves who said it and that it
// fits together, not that it is true.
func Check(ctx context.Context, in Input) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	var result Result
	l, err := open(in, &result)
	if err != nil {
		return Result{}, err
	}
	if !slices.ContainsFunc(l.Steps, func(s in_toto.Step) bool { return s.Name == in.Step }) {
		return Result{}, invalid(fmt.Sprintf("the step %s, which the artifact is to come from", quote(in.Step)),
			"steps "+listed(stepNames(l.Layout)), "name one of the layout's steps")
	}
	links, unusable, err := l.collect(ctx, in.Links)
	result.Unusable = unusable
	if err == nil {
		err = l.judge(ctx, links)
	}
	if err == nil {
		result.Products, err = product(links[in.Step], in.Step, in.Artifact)
	}
	if err != nil {
		return Result{Unusable: unusable}, err
	}
	for _, step := range l.Steps {
		info := StepInfo{Name: step.Name, Threshold: step.Threshold, CommandChecked: len(step.ExpectedCommand) > 0}
		for _, link := range links[step.Name] {
			info.Functionaries = append(info.Functionaries, Functionary{link.key.KeyID, l.functionaries[link.key.KeyID].id, link.file})
		}
		result.Steps = append(result.Steps, info)
	}
	return result, nil
}

// A verified layout is signed by an owner, has not expired, and passed the guard.
type verified struct {
	in_toto.Layout
	functionaries map[string]functionary // by key id
}

// open verifies the layout itself.
func open(in Input, result *Result) (*verified, error) {
	if len(in.Layout) > MaxLayout {
		return nil, invalid(fmt.Sprintf("a layout of at most %d bytes", MaxLayout), fmt.Sprintf("%d", len(in.Layout)), "")
	}
	doc, err := parseDocument(in.Layout)
	if err != nil {
		return nil, invalid("a signed layout", err.Error(), "")
	}
	if kind := doc.head.Type; kind != "layout" {
		return nil, invalid(`"_type": "layout"`, quote(kind), "give the layout, not a link or a statement")
	}
	if result.Owners, err = signedBy(doc, in.Owners); err != nil {
		return nil, err
	}
	l := &verified{}
	if err := strict(doc.signed, &l.Layout); err != nil {
		return nil, invalid("a layout that holds nothing unknown", err.Error(), "")
	}
	if result.Expires, err = expiry(l.Expires, in.Now); err != nil {
		return nil, err
	}
	if l.functionaries, err = guard(l.Layout); err != nil {
		return nil, err
	}
	return l, nil
}

// signedBy returns the owners who signed the layout. Key ids are hints that nobody
// signed, and are counted in more ways than one: each signature is tried with each key.
func signedBy(doc *document, owners []crypto.PublicKey) ([]string, error) {
	if len(owners) == 0 {
		return nil, refused(verify.CodeLayoutSignatureInvalid, "at least one key of the layout's owners", "none", "name the keys of the layout's owners in the policy")
	}
	if len(doc.signatures) > MaxSignatures {
		return nil, invalid(fmt.Sprintf("a layout with at most %d signatures", MaxSignatures), fmt.Sprintf("%d", len(doc.signatures)), "")
	}
	var by, known []string
	for _, owner := range owners {
		public, err := attest.NewPublicKey(owner)
		if err != nil {
			return nil, refused(verify.CodeLayoutSignatureInvalid, "owners' keys that are supported", err.Error(), "name another key in the policy")
		}
		known = append(known, public.ID())
		key, err := ownerKey(public)
		if err != nil {
			return nil, refused(verify.CodeLayoutSignatureInvalid, "owners' keys that in-toto supports", err.Error(), "name another key in the policy")
		}
		for _, s := range doc.signatures {
			key.KeyID = s.KeyID
			if in_toto.VerifyLayoutSignatures(doc.with(s), map[string]in_toto.Key{key.KeyID: key}) == nil {
				by = append(by, public.ID())
				break
			}
		}
	}
	if len(by) == 0 {
		return nil, refused(verify.CodeLayoutSignatureInvalid, "a valid signature by "+listed(known), fmt.Sprintf("%d signatures, none of them by these keys over this layout", len(doc.signatures)), "")
	}
	slices.Sort(by)
	return slices.Compact(by), nil
}

// expiry holds a layout's `expires` against the caller's clock. The wall clock has no
// say, so that a decision can be repeated later.
func expiry(text string, now time.Time) (time.Time, error) {
	expires, err := time.Parse(in_toto.ISO8601DateSchema, text)
	if err != nil {
		return time.Time{}, invalid("`expires` as in 2030-12-31T00:00:00Z", quote(text), "")
	}
	if now.IsZero() {
		return time.Time{}, refused(verify.CodeLayoutExpired, "the time of the decision", "no time", "say when the decision is made")
	}
	if !now.Before(expires) {
		return time.Time{}, refused(verify.CodeLayoutExpired, "a layout that is valid at "+now.UTC().Format(time.RFC3339), "it expired at "+expires.Format(time.RFC3339), "")
	}
	return expires, nil
}

func refused(code verify.Code, expected, found, remedy string) *verify.Refusal {
	return &verify.Refusal{Code: code, Expected: expected, Found: found, Remedy: remedy}
}

func invalid(expected, found, remedy string) *verify.Refusal {
	return refused(verify.CodeLayoutInvalid, expected, found, remedy)
}

func stepNames(l in_toto.Layout) []string {
	var names []string
	for _, s := range l.Steps {
		names = append(names, s.Name)
	}
	return names
}

// listed names the first few of a list.
func listed(names []string) string {
	const most = 4
	var b strings.Builder
	for i, name := range names {
		switch {
		case i == most:
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			return b.String()
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(quote(name))
	}
	return b.String()
}

// quote makes text from outside harmless, and short.
func quote(s string) string {
	if len(s) > maxText {
		return fmt.Sprintf("%.*q...", maxText, s)
	}
	return fmt.Sprintf("%q", s)
}
