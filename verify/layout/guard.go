package layout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/verify"
)

// guard refuses layouts that in-toto-golang takes in a sense that their owner need not
// have meant, and those that it would run something for. The layout's signature was
// verified before: what is refused here is the owners' mistake, and told to them.
func guard(l in_toto.Layout) (map[string]functionary, error) {
	switch {
	case len(l.Inspect) > 0:
		return nil, invalid("a layout without inspections, which are commands to be run by whoever verifies",
			fmt.Sprintf("%d inspections, the first of them %s", len(l.Inspect), quote(l.Inspect[0].Name)),
			"make each inspection a step that a functionary performs, or its rules part of the last step")
	case len(l.RootCas)+len(l.IntermediateCas) > 0:
		return nil, invalid("functionaries that are keys", "certificate authorities (rootcas, intermediatecas), which are not supported", "list each functionary's public key in `keys` and in the step's `pubkeys`")
	case len(l.Steps) == 0:
		return nil, invalid("at least one step", "none: every artifact would meet such a layout", "")
	case len(l.Steps) > MaxSteps || len(l.Keys) > MaxKeys:
		return nil, invalid(fmt.Sprintf("at most %d steps and %d keys", MaxSteps, MaxKeys), fmt.Sprintf("%d and %d", len(l.Steps), len(l.Keys)), "")
	}
	functionaries, err := layoutKeys(l.Keys)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, step := range l.Steps {
		if err := checkName(step.Name, names); err != nil {
			return nil, err
		}
		names[step.Name] = true
	}
	for _, step := range l.Steps {
		if err := guardStep(step, functionaries); err != nil {
			return nil, err
		}
		if err := guardRules(step.Name, "expected_materials", step.ExpectedMaterials, names); err != nil {
			return nil, err
		}
		if err := guardRules(step.Name, "expected_products", step.ExpectedProducts, names); err != nil {
			return nil, err
		}
	}
	return functionaries, nil
}

// layoutKeys checks the keys of a layout, and that no two are one: a functionary with
// two ids would count twice.
func layoutKeys(keys map[string]in_toto.Key) (map[string]functionary, error) {
	functionaries, ids := map[string]functionary{}, map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		f, err := functionaryKey(id, keys[id])
		if err != nil {
			return nil, invalid("usable keys", "key "+quote(id)+": "+err.Error(), "")
		}
		if other, taken := ids[f.id]; taken {
			return nil, invalid("one id for each key", fmt.Sprintf("%s and %s are the same key", quote(other), quote(id)), "remove one of them from `keys` and from the steps' `pubkeys`")
		}
		ids[f.id], functionaries[id] = id, f
	}
	return functionaries, nil
}

// checkName holds step names to what cannot be a path or a pattern: link files are
// called by them.
func checkName(name string, taken map[string]bool) error {
	const rule = "step names without path separators, wildcards, `..` and control characters, each used once"
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`/\*?[]{}`, r) }
	if name == "" || name == "." || strings.Contains(name, "..") || strings.ContainsFunc(name, odd) || len(name) > maxText || taken[name] {
		return invalid(rule, quote(name), "")
	}
	return nil
}

func guardStep(step in_toto.Step, functionaries map[string]functionary) error {
	fail := func(expected, found, remedy string) error {
		return invalid(fmt.Sprintf("step %s: %s", quote(step.Name), expected), found, remedy)
	}
	if step.Type != "step" {
		return fail(`"_type": "step"`, quote(step.Type), "")
	}
	if len(step.CertificateConstraints) > 0 {
		return fail("functionaries that are keys", "cert_constraints, which are not supported", "list each functionary's public key in `keys` and in the step's `pubkeys`")
	}
	listed := map[string]bool{}
	for _, id := range step.PubKeys {
		if _, ok := functionaries[id]; !ok || listed[id] {
			return fail("pubkeys that are in the layout's `keys`, each once", quote(id), "")
		}
		listed[id] = true
	}
	if step.Threshold < 1 || step.Threshold > len(listed) {
		return fail(fmt.Sprintf("a threshold from 1 to %d, the number of its keys", len(listed)), fmt.Sprintf("%d", step.Threshold), "")
	}
	for _, word := range step.ExpectedCommand {
		if p := placeholder(word, true); p != "" {
			return fail("an expected_command without parameters, which are not substituted", p, "write the value itself")
		}
	}
	return nil
}

// placeholder returns the first {parameter} of in-toto in a text, or "". In a command
// ${name} is the shell's.
func placeholder(text string, command bool) string {
	for i := range len(text) {
		if text[i] != '{' || command && i > 0 && text[i-1] == '$' {
			continue
		}
		name, _, closed := strings.Cut(text[i+1:], "}")
		odd := func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}
		if closed && name != "" && !strings.ContainsFunc(name, odd) {
			return quote("{" + name + "}")
		}
	}
	return ""
}

// linkMissing says what a step has too few of.
func linkMissing(expected, found, remedy string) error {
	return refused(verify.CodeLayoutLinkMissing, expected, found, remedy)
}
