package npm

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// manyVersions is a registry's document about a package with as many versions.
func manyVersions(n int) []byte {
	var versions, times []string
	for v := range n {
		versions = append(versions, fmt.Sprintf(`"1.%[1]d.0":{"name":"a","version":"1.%[1]d.0","description":"%[2]s","scripts":{"install":"node-gyp rebuild","test":"%[2]s %[1]d","build":"%[1]d %[2]s"},
			"dist":{"integrity":"sha512-%[3]s","tarball":"https://registry.example/a/-/a-1.%[1]d.0.tgz","signatures":[{"keyid":"SHA256:%[4]s","sig":"%[5]s"}]},
			"_npmUser":{"name":"someone"},"maintainers":[{"name":"someone"},{"name":"another"}]}`, v, strings.Repeat("words ", 40), strings.Repeat("A", 86)+"==", strings.Repeat("k", 43), strings.Repeat("s", 96)))
		times = append(times, fmt.Sprintf(`"1.%d.0":"2026-01-01T00:%02d:%02dZ"`, v, v/60%60, v%60))
	}
	return []byte(`{"name":"a","versions":{` + strings.Join(versions, ",") + `},"time":{` + strings.Join(times, ",") + `}}`)
}

func TestOnlyInstallScriptsAreKept(t *testing.T) {
	p, err := parsePackument(manyVersions(2), "a")
	if err != nil {
		t.Fatal(err)
	}
	if scripts := p.versions["1.1.0"].Scripts; len(scripts) != 1 || scripts["install"] != "node-gyp rebuild" {
		t.Errorf("found %v", scripts)
	}
}

// BenchmarkPackument reads a document about 1,000 versions. The metric kept-B/version is
// the memory that stays: the documents of all packages of a project are kept until the
// last of them is checked.
func BenchmarkPackument(b *testing.B) {
	body := manyVersions(1000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var before, after runtime.MemStats
	var kept []*packument
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		p, err := parsePackument(body, "a")
		if err != nil {
			b.Fatal(err)
		}
		kept = append(kept, p)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(kept)*1000), "kept-B/version")
	runtime.KeepAlive(kept)
	runtime.KeepAlive(body)
}
