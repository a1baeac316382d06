package vers

type Pattern struct{ s string }

func (p Pattern) String() string                      { return p.s }
func ParsePattern(purl, vers string) (Pattern, error) { return Pattern{purl}, nil }

type Set struct{ p []Pattern }

func NewSet(p ...Pattern) *Set { return &Set{p} }
func (s *Set) Match(purl string) (Pattern, bool, error) {
	for _, p := range s.p {
		if p.s == purl {
			return p, true, nil
		}
	}
	return Pattern{}, false, nil
}
