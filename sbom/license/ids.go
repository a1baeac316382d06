package license

import (
	_ "embed"
	"strings"
)

//go:generate sh gen.sh

//go:embed ids.txt
var ids string

//go:embed exceptions.txt
var exceptions string

// IsID says whether id is on the SPDX licence list, deprecated or not.
func IsID(id string) bool { return hasLine(ids, id) }

// isException says whether id is on the SPDX list of exceptions.
func isException(id string) bool { return hasLine(exceptions, id) }

func hasLine(list, line string) bool {
	if line == "" || strings.ContainsAny(line, "\n\r") {
		return false
	}
	return strings.HasPrefix(list, line+"\n") || strings.Contains(list, "\n"+line+"\n")
}
