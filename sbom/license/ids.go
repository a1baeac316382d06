package license

import (
	_ "embed"
	"strings"
	"sync"
)

//go:generate sh gen.sh

//go:embed ids.txt
var ids string

//go:embed exceptions.txt
var exceptions string

// IsID says whether id is on the SPDX licence list, deprecated or not.
func IsID(id string) bool { return idSet()[id] }

// isException says whether id is on the SPDX list of exceptions.
func isException(id string) bool { return exceptionSet()[id] }

var (
	idSet        = sync.OnceValue(func() map[string]bool { return lines(ids) })
	exceptionSet = sync.OnceValue(func() map[string]bool { return lines(exceptions) })
)

func lines(list string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.FieldsSeq(list) {
		set[line] = true
	}
	return set
}
