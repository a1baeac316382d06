package npm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/fstest"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/tarball"
)

// stops is a source of everything that ends the context when it is asked, as an
// interrupt would, and says so in one of two ways.
type stops struct {
	cancel context.CancelFunc
	reason error
}

func (s stops) Check(ctx context.Context, _ verify.Raw) (verify.Signature, error) {
	s.cancel()
	return verify.Signature{}, fmt.Errorf("stopped: %w", s.reason)
}

func (s stops) Answers(context.Context, npm.Package) (npm.Answered, error) {
	s.cancel()
	return npm.Answered{}, s.reason
}

func (s stops) Contents(context.Context, npm.Package, string) (*tarball.Contents, error) {
	s.cancel()
	return nil, s.reason
}

// TestStopIsNoDecision: that the time is over is no answer about any package.
func TestStopIsNoDecision(t *testing.T) {
	pkg, good := vectorNamed(t, goodNew)
	files := fstest.MapFS{npm.FileName(pkg): {Data: []byte(`{"schema":"` + npm.AnswersSchema + `","answers":{"attestations":{"status":200,"body":` + string(good) + `}}}`)}}
	project := &lockfile.Project{Packages: []lockfile.Package{{}, {Name: pkg.Name, Version: pkg.Version, Integrity: pkg.Integrity, Source: lockfile.SourceRegistry}}}
	for name, change := range map[string]func(i *npm.Inspector, s stops){
		"before anything":      func(_ *npm.Inspector, s stops) { s.cancel() },
		"while it is asked":    func(i *npm.Inspector, s stops) { i.Evidence = s },
		"while it verifies":    func(i *npm.Inspector, s stops) { i.Checker = s },
		"while it reads bytes": func(i *npm.Inspector, s stops) { i.Tarballs = s },
	} {
		for _, reason := range []error{context.Canceled, context.DeadlineExceeded} {
			ctx, cancel := context.WithCancel(context.Background())
			inspector := &npm.Inspector{Checker: checker(t), Evidence: npm.Answers{Files: files}, Now: sceneNow}
			change(inspector, stops{cancel, reason})
			report, err := inspector.Project(ctx, project)
			if report != nil || (!errors.Is(err, context.Canceled) && !errors.Is(err, reason)) {
				t.Errorf("%s: expected an error alone, found %+v, %v", name, report, err)
			}
			if name != "while it verifies" && name != "before anything" {
				continue
			}
			if report, err := inspector.Answer(ctx, pkg, good); report != nil || err == nil {
				t.Errorf("%s, one answer: expected an error alone, found %+v, %v", name, report, err)
			}
			var refused *verify.Refusal
			if origin, err := npm.CheckStored(ctx, inspector.Checker, pkg, npm.Answers{Files: files}); origin != nil || err == nil || errors.As(err, &refused) {
				t.Errorf("%s, saved: expected an error that is no refusal, found %+v, %v", name, origin, err)
			}
		}
	}
}
