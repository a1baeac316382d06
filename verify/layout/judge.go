package layout

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/verify"
)

// judge holds the links against the layout.
func (l *verified) judge(ctx context.Context, links map[string][]*link) error {
	for _, step := range l.Steps {
		for _, link := range links[step.Name] {
			if err := checkRun(step, link); err != nil {
				return err
			}
		}
	}
	if err := align(links); err != nil {
		return err
	}
	layout := in_toto.Layout{Type: l.Type, Steps: l.Steps, Keys: map[string]in_toto.Key{}}
	for id, f := range l.functionaries {
		layout.Keys[id] = f.key
	}
	metadata := map[string]map[string]in_toto.Metadata{}
	for name, list := range links {
		metadata[name] = map[string]in_toto.Metadata{}
		for _, link := range list {
			metadata[name][link.key.KeyID] = link.doc
		}
	}
	// Each signature was verified when its link was read: in-toto-golang counts again.
	metadata, err := in_toto.VerifyLinkSignatureThesholds(layout, metadata, x509.NewCertPool(), x509.NewCertPool())
	if err != nil {
		return linkMissing("links that meet the steps' thresholds", clip(err.Error()), "")
	}
	reduced, err := in_toto.ReduceStepsMetadata(layout, metadata)
	if err != nil {
		return refused(verify.CodeLayoutRuleFalse, "links that agree on a step's materials and products", disagreement(l.Steps, links),
			"have the functionaries repeat the step on the same materials, or remove the link that belongs to another build")
	}
	for _, step := range layout.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := strays(step, links); err != nil {
			return err
		}
		// one step at a time, so that a long check can be stopped
		if err := in_toto.VerifyArtifacts([]any{step}, reduced); err != nil {
			return refused(verify.CodeLayoutRuleFalse, fmt.Sprintf("materials and products of step %s that obey the layout", quote(step.Name)), ruleText(err), "")
		}
	}
	return nil
}

// checkRun wants that the step's command ended well, and was the one that the layout
// expects: word by word, as ["a b"] and ["a", "b"] are not the same command.
func checkRun(step in_toto.Step, link *link) error {
	fail := func(expected, found, remedy string) error {
		return refused(verify.CodeLayoutRuleFalse, fmt.Sprintf("step %s, %s: %s", quote(step.Name), quote(link.file), expected), found, remedy)
	}
	if value, there := link.ByProducts["return-value"]; string(value) != "0" {
		found := "none"
		if there {
			found = clip(string(value))
		}
		return fail("a return-value of 0 in its byproducts", found, "repeat the step; a link without a return value was not made by running a command")
	}
	if len(step.ExpectedCommand) > 0 && !slices.Equal(step.ExpectedCommand, link.Command) {
		return fail("the command "+clip(fmt.Sprintf("%q", step.ExpectedCommand)), clip(fmt.Sprintf("%q", link.Command)), "run the command that the layout names, or have an owner sign a layout that names this one")
	}
	return nil
}

// strays refuses files outside of a MATCH rule's source folder that in-toto-golang would
// let the rule consume: it takes the folder off a path that has it, and takes one that
// has it not as it is.
func strays(step in_toto.Step, links map[string][]*link) error {
	for _, link := range links[step.Name][:1] { // they agree
		from := link.doc.payload.(in_toto.Link)
		for _, rule := range step.ExpectedMaterials {
			if err := stray(step.Name, rule, from.Materials, links); err != nil {
				return err
			}
		}
		for _, rule := range step.ExpectedProducts {
			if err := stray(step.Name, rule, from.Products, links); err != nil {
				return err
			}
		}
	}
	return nil
}

func stray(step string, rule []string, artifacts map[string]in_toto.HashObj, links map[string][]*link) error {
	data, err := in_toto.UnpackRule(rule)
	if err != nil || data["type"] != "match" || data["srcPrefix"] == "" {
		return nil
	}
	to := links[data["dstName"]][0].doc.payload.(in_toto.Link)
	target := to.Materials
	if data["dstType"] == "products" {
		target = to.Products
	}
	outside := in_toto.NewSet()
	for name := range artifacts {
		if !strings.HasPrefix(name, path.Clean(data["srcPrefix"])+"/") {
			outside.Add(name)
		}
	}
	var found []string
	for name := range outside.Filter(data["pattern"]) {
		if same, there := target[path.Join(data["dstPrefix"], name)]; there && maps.Equal(same, artifacts[name]) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.Sort(found)
	return refused(verify.CodeLayoutRuleFalse, fmt.Sprintf("step %s: files in the folder of the rule %s", quote(step), quote(strings.Join(rule, " "))),
		listed(found)+" outside of it", "have an owner give these files a rule of their own before this one, with a narrower pattern in this one")
}

// disagreement names two links that do not agree.
func disagreement(steps []in_toto.Step, links map[string][]*link) string {
	same := func(a, b map[string]in_toto.HashObj) bool {
		return maps.EqualFunc(a, b, func(x, y in_toto.HashObj) bool { return maps.Equal(x, y) })
	}
	for _, step := range steps {
		for _, other := range links[step.Name][1:] {
			first := links[step.Name][0]
			a, b := first.doc.payload.(in_toto.Link), other.doc.payload.(in_toto.Link)
			if !same(a.Materials, b.Materials) || !same(a.Products, b.Products) {
				return fmt.Sprintf("step %s: %s and %s differ", quote(step.Name), quote(first.file), quote(other.file))
			}
		}
	}
	return "links that differ"
}

// ruleText is in-toto-golang's reason, the same each time: it lists files in the order
// of a map, and all of them.
func ruleText(err error) string {
	text := err.Error()
	before, rest, ok := strings.Cut(text, " [")
	files, rule, disallowed := strings.Cut(rest, "] disallowed by rule ")
	if !ok || !disallowed {
		before, _, _ = strings.Cut(text, " is not in [")
		return clip(before)
	}
	names := strings.Fields(files)
	slices.Sort(names)
	return fmt.Sprintf("%s: %s, which rule %s disallows", clip(before), listed(names), clip(rule))
}

func clip(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "") + "..."
	}
	return s
}
