package attest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"golang.org/x/text/encoding/charmap"
)

// A Configuration is a file that says how tests are run, as in-toto's test-result
// names it (in-toto, "ResourceDescriptor").
type Configuration struct {
	Name   string    `json:"name"`
	Digest DigestSet `json:"digest"`
}

// TestCounts says how tests ended. Skipped ones stand in no list of the predicate:
// they neither passed nor failed.
type TestCounts struct{ Passed, Failed, Skipped int }

// testResult is the predicate of in-toto's test-result v0.1.
type testResult struct {
	Result        string          `json:"result"`
	Configuration []Configuration `json:"configuration"`
	URL           string          `json:"url,omitempty"`
	Passed        []string        `json:"passedTests"`
	Warned        []string        `json:"warnedTests"`
	Failed        []string        `json:"failedTests"`
}

// ErrNoTests reports a report in which no test ran: it says nothing about anything.
var ErrNoTests = errors.New("no test ran")

// ParseTests turns a test run's report into a test-result v0.1 predicate: JUnit's
// XML, or the lines of go test -json. url is the run's address; "": there is none. The
// result is PASSED if every test that ran passed, else FAILED. A report that ends
// before its tests did is an error.
func ParseTests(report []byte, configuration []Configuration, url string) (json.RawMessage, TestCounts, error) {
	var run testRun
	var err error
	report = bytes.TrimSpace(bytes.TrimPrefix(report, []byte("\ufeff")))
	switch {
	case bytes.HasPrefix(report, []byte("<")):
		run, err = parseJUnit(report)
	case bytes.HasPrefix(report, []byte("{")):
		run, err = parseGoTest(report)
	default:
		err = errors.New("expected JUnit's XML or the lines of go test -json, found neither")
	}
	if err != nil {
		return nil, TestCounts{}, err
	}
	passed, failed, skipped := run.names("pass"), run.names("fail"), run.names("skip")
	counts := TestCounts{len(passed), len(failed), len(skipped)}
	if counts.Passed+counts.Failed == 0 {
		return nil, counts, ErrNoTests
	}
	r := testResult{Result: "PASSED", Configuration: configuration, URL: url, Passed: passed, Warned: []string{}, Failed: failed}
	if r.Configuration == nil {
		r.Configuration = []Configuration{}
	}
	if counts.Failed > 0 {
		r.Result = "FAILED"
	}
	predicate, err := json.Marshal(r)
	return predicate, counts, err
}

// testRun is how each test ended, by name: "pass", "fail" or "skip".
type testRun map[string]string

// end notes how a test ended. Of several runs of one test the worst counts.
func (r testRun) end(name, how string) {
	order := []string{"skip", "pass", "fail"}
	if slices.Index(order, how) >= slices.Index(order, r[name]) {
		r[name] = how
	}
}

func (r testRun) names(how string) []string {
	list := []string{}
	for name, ended := range r {
		if ended == how {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// parseGoTest reads the events of go test -json (go doc test2json). A package that
// failed without a test, such as one that does not build, is a failed test of the
// package's name.
func parseGoTest(report []byte) (testRun, error) {
	run := testRun{}
	running, failed := map[string]bool{}, map[string]bool{} // tests, packages
	line := 0
	for text := range bytes.Lines(report) {
		line++
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		var event struct{ Action, Package, ImportPath, Test string }
		if err := jsonv2.Unmarshal(text, &event); err != nil {
			return nil, fmt.Errorf("reading go test -json, line %d: %w", line, JSONError(err))
		}
		name := cmp.Or(strings.TrimSuffix(event.Package+"."+event.Test, "."), "a package without a name")
		switch event.Action {
		case "":
			return nil, fmt.Errorf("reading go test -json, line %d: expected an event with an Action, found none", line)
		case "start", "run":
			running[name] = true
		case "build-fail":
			run.end(cmp.Or(event.ImportPath, name), "fail")
		case "pass", "skip":
			delete(running, name)
			if event.Test != "" {
				run.end(name, event.Action)
			}
		case "fail":
			delete(running, name)
			if event.Test != "" {
				run.end(name, "fail")
				failed[event.Package] = true
			} else if !failed[event.Package] {
				run.end(name, "fail")
			}
		}
	}
	if names := sortedNames(running); len(names) > 0 { // the last is a test, if one was running
		return nil, fmt.Errorf("reading go test -json: %s began and did not end: the report is cut off, or the run was", clip(names[len(names)-1]))
	}
	return run, nil
}

// parseJUnit reads the XML that JUnit made a habit of: test cases in any nesting of
// suites. A suite that has or counts a failure and no test case that failed is a
// failed test of its name.
func parseJUnit(report []byte) (testRun, error) {
	type suite struct {
		name     string
		declared bool // failures, by its attributes
		failed   bool
		tests    int // by its attributes
		found    int // test cases
	}
	run := testRun{}
	named := map[string]int{} // how many test cases have a name
	decoder := xml.NewDecoder(bytes.NewReader(report))
	decoder.CharsetReader = charset
	suites := []suite{{name: "the report"}}
	root := ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading JUnit's XML: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if root == "" {
				root = t.Name.Local
			}
			switch t.Name.Local {
			case "testsuite", "testsuites":
				count := strings.Trim(attribute(t, "failures")+attribute(t, "errors"), "0")
				tests, _ := strconv.Atoi(attribute(t, "tests")) // not every tool counts
				suites = append(suites, suite{name: cmp.Or(attribute(t, "name"), t.Name.Local), declared: count != "", tests: tests})
			case "testcase":
				name, how, err := readCase(decoder, t)
				if err != nil {
					return nil, fmt.Errorf("reading JUnit's XML: %w", err)
				}
				run.end(name, how)
				named[name]++
				suites[len(suites)-1].found++
				suites[len(suites)-1].failed = suites[len(suites)-1].failed || how == "fail"
			case "error", "failure": // of the suite itself
				suites[len(suites)-1].declared = true
			}
		case xml.EndElement:
			if t.Name.Local != "testsuite" && t.Name.Local != "testsuites" {
				continue
			}
			last := suites[len(suites)-1]
			if last.tests > last.found {
				return nil, fmt.Errorf("reading JUnit's XML: %s counts %d tests, found %d: the report is cut off", clip(last.name), last.tests, last.found)
			}
			if suites = suites[:len(suites)-1]; last.declared && !last.failed {
				run.end(last.name, "fail")
			}
			suites[len(suites)-1].failed = suites[len(suites)-1].failed || last.failed || last.declared
			suites[len(suites)-1].found += last.found
		}
	}
	if root != "testsuites" && root != "testsuite" {
		return nil, fmt.Errorf("reading JUnit's XML: expected testsuites or testsuite, found %q", clip(root))
	}
	// Cases of one name, of a class in two suites or a test with parameters, are tests
	// each. Which of them failed the name does not tell, so if one did, all did.
	for name, cases := range named {
		for n := 2; n <= cases; n++ {
			run.end(fmt.Sprintf("%s #%d", name, n), run[name])
		}
	}
	return run, nil
}

// charset reads the encodings that tools of before UTF-8 write.
func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1":
		return charmap.ISO8859_1.NewDecoder().Reader(in), nil
	case "windows-1252", "cp1252":
		return charmap.Windows1252.NewDecoder().Reader(in), nil
	}
	return nil, fmt.Errorf("expected UTF-8, ISO-8859-1 or Windows-1252, found the encoding %q", clip(label))
}

// readCase reads one test case to its end.
func readCase(decoder *xml.Decoder, start xml.StartElement) (name, how string, err error) {
	name = strings.Trim(attribute(start, "classname")+"."+attribute(start, "name"), ".")
	if name == "" {
		return "", "", errors.New("a test case has no name")
	}
	var c struct {
		Failure []struct{} `xml:"failure"`
		Error   []struct{} `xml:"error"`
		Skipped []struct{} `xml:"skipped"`
	}
	if err := decoder.DecodeElement(&c, &start); err != nil {
		return "", "", err
	}
	switch {
	case len(c.Failure)+len(c.Error) > 0:
		return name, "fail", nil
	case len(c.Skipped) > 0:
		return name, "skip", nil
	}
	return name, "pass", nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
