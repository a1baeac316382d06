package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"plimsoll.example/attest"
)

// releaseResult is what release did, to be printed.
type releaseResult struct {
	all     []*released
	key     *attest.Key
	keyNote string
	flags   releaseFlags
	exit    int
}

// verdict names an artifact's decision. Only a policy that somebody chose can
// allow; the default one shows that what was made fits together.
func (r releaseResult) verdict(one *released) string {
	switch {
	case one.decision.exit != exitYes && r.flags.policy != "":
		return "denied"
	case one.decision.exit != exitYes:
		return "self-check failed"
	case r.flags.policy != "":
		return "allowed"
	}
	return "self-check passed"
}

func (r releaseResult) print(io stdio) error {
	if r.keyNote != "" {
		fmt.Fprintf(io.err, "plimsoll: %s\n", printable(r.keyNote))
	}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ARTIFACT\tWRITTEN\tWHAT\tVERDICT")
	for _, one := range r.all {
		r.printRows(table, one)
	}
	table.Flush()
	for _, one := range r.all {
		if one.decision.exit != exitYes {
			b.WriteByte('\n')
			writeReport(&b, r.policyName(), one.decision)
		}
	}
	b.WriteString(r.lastLine() + "\n")
	_, err := io.out.Write([]byte(b.String()))
	return err
}

func (r releaseResult) policyName() string {
	if r.flags.policy != "" {
		return r.flags.policy
	}
	return "(embedded)"
}

func (r releaseResult) printRows(w io.Writer, one *released) {
	name, verdict := printable(one.path), r.verdict(one)
	if r.exit != exitYes {
		fmt.Fprintf(w, "%s\tnothing\t\t%s\n", name, verdict)
		return
	}
	what := "SBOM, as given"
	if one.components >= 0 {
		what = fmt.Sprintf("SBOM, %d components", one.components)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, printable(one.path+sbomSuffix), what, verdict)
	for _, s := range one.statements {
		fmt.Fprintf(w, "\t%s\tsigned %s\t\n", printable(one.bundles), printable(s.describe()))
	}
	if one.policyFile != "" {
		fmt.Fprintf(w, "\t%s\tthe public key\t\n", printable(one.path+".pub"))
		fmt.Fprintf(w, "\t%s\ta policy to pin\t\n", printable(one.policyFile))
	}
}

func (r releaseResult) lastLine() string {
	switch {
	case r.exit != exitYes && r.flags.policy != "":
		return fmt.Sprintf("denied by policy %s; nothing was written", printable(r.flags.policy))
	case r.exit != exitYes:
		return "self-check failed; nothing was written"
	case r.flags.newKey:
		return fmt.Sprintf("self-check passed; key %s is trusted by nobody yet", r.key.ID())
	case r.flags.policy != "":
		return fmt.Sprintf("allowed by policy %s; signed with key %s", printable(r.flags.policy), r.key.ID())
	}
	return fmt.Sprintf("self-check passed; signed with key %s", r.key.ID())
}

// releaseSchema names the JSON of release.
const releaseSchema = "https://plimsoll.example/schema/release/v1"

type releaseJSON struct {
	Schema    string                `json:"schema"`
	Exit      int                   `json:"exit"`
	Key       string                `json:"key"`
	KeyNote   string                `json:"keyNote,omitempty"`
	Summary   string                `json:"summary"`
	Artifacts []releaseArtifactJSON `json:"artifacts"`
}

type releaseArtifactJSON struct {
	Artifact string           `json:"artifact"`
	Digests  attest.DigestSet `json:"digests"`
	Verdict  string           `json:"verdict"`
	Written  []string         `json:"written"`
	Report   any              `json:"report"`
}

func (r releaseResult) printJSON(w io.Writer) error {
	doc := releaseJSON{Schema: releaseSchema, Exit: r.exit, Key: r.key.ID(), KeyNote: r.keyNote, Summary: r.lastLine()}
	for _, one := range r.all {
		a := releaseArtifactJSON{Artifact: one.path, Digests: one.subject.Digest, Verdict: r.verdict(one),
			Written: []string{}, Report: withoutNulls(one.decision.report)}
		if r.exit == exitYes {
			a.Written = append(a.Written, one.path+sbomSuffix, one.bundles)
			if one.policyFile != "" {
				a.Written = append(a.Written, one.path+".pub", one.policyFile)
			}
		}
		doc.Artifacts = append(doc.Artifacts, a)
	}
	return writeJSON(w, doc)
}
