package npm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"plimsoll.example/verify"
)

// age judges when the version was published: by the log where there is a log entry,
// else by what the registry says, which is named as unsigned.
func (j *job) age(answered Answered) {
	if j.result.Published == nil && answered.Metadata != nil && !answered.Metadata.Time.IsZero() {
		j.result.Published = &Published{At: answered.Metadata.Time.UTC(), Source: timeOfRegistry}
	}
	if j.inspector.MinAge <= 0 {
		return
	}
	p := j.result.Published
	if p == nil {
		r := &verify.Refusal{Code: verify.CodeAgeUnknown, Expected: "a time of publication", Found: "none"}
		if answered.Metadata != nil {
			j.find(r)
		} else {
			j.findAs(r, verify.NotMade)
		}
		return
	}
	if j.inspector.Now.Sub(p.At) < j.inspector.MinAge {
		j.find(&verify.Refusal{Code: verify.CodeTooYoung, Expected: "a version that is at least " + days(j.inspector.MinAge) + " old",
			Found: fmt.Sprintf("one published %s (%s)", p.At.UTC().Format(time.RFC3339), p.Source)})
	}
}

func days(d time.Duration) string {
	if d%(24*time.Hour) != 0 {
		return d.String()
	}
	if d == 24*time.Hour {
		return "1 day"
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// takeover compares who published this version with who published the one before. All
// of it is the registry's unsigned word.
func (j *job) takeover(answered Answered) {
	m := answered.Metadata
	if m == nil || j.inspector.Expectations.holds(j.pkg, j.pkg.Integrity) {
		return
	}
	i := slices.IndexFunc(m.Earlier, func(e Earlier) bool { return e.Before })
	if i < 0 {
		return
	}
	before := m.Earlier[i]
	woke := m.Time
	if !m.Since.IsZero() {
		woke = m.Since
	}
	if slept := woke.Sub(before.Time); j.inspector.Sleep > 0 && !before.Time.IsZero() && slept > j.inspector.Sleep {
		r := &verify.Refusal{Code: verify.CodeDormantTakeover, Expected: fmt.Sprintf("a release by %s, or within %s of %s", name(before.User.Name), days(j.inspector.Sleep), before.Version),
			Found: fmt.Sprintf("one by %s, %d days after it (as the registry says, unsigned)", name(m.User.Name), int(slept.Hours()/24))}
		switch {
		case before.User.Name != m.User.Name && j.older(woke, longAgo):
			j.findAs(r, verify.Warn)
		case before.User.Name != m.User.Name:
			j.find(r)
		case m.User.Name == "": // the registry does not say who publishes
			j.findAs(r, verify.NotMade)
		}
	}
	if len(before.Maintainers) > 0 && len(m.Maintainers) > 0 && !slices.ContainsFunc(before.Maintainers, func(o Maintainer) bool { return slices.Contains(m.Maintainers, o) }) {
		j.find(&verify.Refusal{Code: verify.CodeMaintainersReplaced, Expected: "one of " + names(before.Maintainers) + ", who maintained " + before.Version, Found: names(m.Maintainers)})
	}
	if before.User.trusted() && !m.User.trusted() {
		j.find(&verify.Refusal{Code: verify.CodeTrustedPublishingLost, Expected: "a release by CI without a token, as " + before.Version, Found: "one by " + name(m.User.Name)})
	}
}

// longAgo is when a takeover would have been noticed: that many old packages were handed
// on once is no reason to accept each of them.
const longAgo = 365 * 24 * time.Hour

// older tells whether a release was made so long ago, by the log too if that has it.
func (j *job) older(at time.Time, than time.Duration) bool {
	if o := j.result.Origin; o != nil && o.PublishedAt.After(at) {
		at = o.PublishedAt
	}
	return j.inspector.Now.Sub(at) >= than
}

func name(user string) string {
	if user == "" {
		return "nobody that is named"
	}
	return fmt.Sprintf("%.80q", user)
}

func names(all []Maintainer) string {
	var list []string
	for i, m := range all {
		if i == 5 {
			list = append(list, fmt.Sprintf("%d more", len(all)-5))
			break
		}
		list = append(list, fmt.Sprintf("%.80q", m.Name))
	}
	return strings.Join(list, ", ")
}
