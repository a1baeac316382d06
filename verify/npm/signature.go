package npm

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"plimsoll.example/verify"
)

// signature verifies the registry's signatures over the requested name and version and
// the lockfile's integrity. What the metadata says of itself is not looked at.
func (j *job) signature(answered Answered, integrity string) {
	m := answered.Metadata
	switch {
	case answered.MetadataErr != nil:
		if err := j.refuse(answered.MetadataErr); err != nil {
			j.find(&verify.Refusal{Code: verify.CodeAnswerMalformed, Expected: "metadata", Found: err.Error()})
		}
		return
	case m == nil && answered.MetadataAsked:
		j.find(&verify.Refusal{Code: verify.CodeNotInRegistry, Expected: j.pkg.String() + " in the registry", Found: strings.TrimSuffix("404 from "+answered.Registry, " from ")})
		return
	case m == nil:
		j.findAs(signatureMissing("the registry was not asked for it"), verify.NotMade)
		return
	case j.inspector.Keys == nil:
		j.findAs(signatureMissing("no keys of the registry are known"), verify.NotMade)
		return
	case len(m.Dist.Signatures) == 0 && answered.Scoped && !j.inspector.KeysOfAll:
		j.findAs(signatureMissing("none, and no keys of "+answered.Registry+" are known"), verify.NotMade)
		return
	case len(m.Dist.Signatures) == 0:
		j.find(signatureMissing("none"))
		return
	case integrity == "":
		return // nothing that it could be over
	}
	for _, s := range m.Dist.Signatures {
		j.oneSignature(s, integrity)
	}
}

func signatureMissing(found string) *verify.Refusal {
	return &verify.Refusal{Code: verify.CodeRegistrySignatureMissing, Expected: "the registry's signature", Found: found}
}

func (j *job) oneSignature(s DistSignature, integrity string) {
	sig, err := base64.StdEncoding.DecodeString(s.Sig)
	if err != nil {
		j.find(&verify.Refusal{Code: verify.CodeRegistrySignatureInvalid, Expected: "a signature in base64", Found: fmt.Sprintf("%.100q", s.Sig)})
		return
	}
	message := j.pkg.Name + "@" + j.pkg.Version + ":" + integrity
	from, until, err := j.inspector.Keys.VerifyMessage([]byte(message), s.KeyID, sig)
	if err != nil {
		var r *verify.Refusal
		if !errors.As(err, &r) {
			r = &verify.Refusal{Code: verify.CodeRegistrySignatureInvalid, Expected: "a valid signature", Found: err.Error()}
		}
		j.find(r)
		return
	}
	if j.inspector.Now.Before(from) {
		j.find(&verify.Refusal{Code: verify.CodeRegistrySignatureInvalid, Expected: "a key that is valid on " + day(j.inspector.Now), Found: "one that is valid from " + day(from)})
		return
	}
	signature := &RegistrySignature{KeyID: s.KeyID}
	if !until.IsZero() && !j.inspector.Now.Before(until) {
		signature.KeyEnded = until
	}
	// One by a key that has not ended says all that one by an ended key could say.
	if have := j.result.Signature; have == nil || !have.KeyEnded.IsZero() {
		j.result.Signature = signature
	}
}

// keyEnded judges a signature by a key that has ended, where there is none by another:
// nothing in it says when it was made, and whoever holds the old key can sign anything.
// It is good if the expectations held this very digest before, or if the publication of
// these very bytes was logged before the key's end: a signature that was made later, by
// whoever, says nothing that was not true then. Else the registry's unsigned time is good
// for a warning at best.
func (j *job) keyEnded(answered Answered, integrity string) {
	s := j.result.Signature
	if s == nil || s.KeyEnded.IsZero() || j.inspector.Expectations.holds(j.pkg, integrity) {
		return
	}
	ended := s.KeyEnded
	r := &verify.Refusal{Code: verify.CodeKeyExpiredTimeUnsigned, Expected: fmt.Sprintf("a signature from before %s, when key %s ended", day(ended), s.KeyID)}
	published, says := answered.Metadata.Time, ", as the registry says"
	if o := j.result.Origin; o != nil {
		published, says = o.PublishedAt, ", as the log says"
	}
	effect := verify.Deny
	switch {
	case published.IsZero():
		r.Found = "no time of publication at all"
	case !published.Before(ended):
		r.Found = "published " + day(published) + says + ": after the key's end"
	case j.result.Origin != nil:
		return
	default:
		r.Found = "published " + day(published) + says + ", unsigned"
		effect = verify.Warn
	}
	j.findAs(r, effect)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// attestationsOf takes over what was verified, and compares the registry with the one
// that was asked.
func (j *job) attestationsOf(origin *Origin, answered Answered) {
	j.result.Origin = origin
	j.result.Published = &Published{At: origin.PublishedAt, Source: timeOfLog}
	if asked := j.registryOf(answered); asked != "" && !sameRegistry(asked, origin.Registry) {
		j.find(&verify.Refusal{Code: verify.CodePublishRegistryDiffers, Expected: "a publication to " + strings.TrimRight(asked, "/"), Found: fmt.Sprintf("one to %.200q", origin.Registry)})
	}
	j.build(origin)
}
