package verify

import "sync"

// The tables by code, made when they are first asked for: a project has thousands of
// findings.
var (
	meanings = sync.OnceValue(func() map[Code]CodeMeaning {
		all := map[Code]CodeMeaning{}
		for _, m := range Codes() {
			all[m.Code] = m
		}
		return all
	})
	npmRows = sync.OnceValue(func() map[Code]npmPlace {
		all := map[Code]npmPlace{}
		for i, row := range NPMCodes() {
			all[row.Code] = npmPlace{row, i}
		}
		return all
	})
)

// npmPlace is a row of the table of plimsoll npm and where it stands there.
type npmPlace struct {
	NPMCode
	step int
}

// NPMCodeOf returns a code's row of [NPMCodes] and its place there.
func NPMCodeOf(c Code) (row NPMCode, step int, there bool) {
	found, there := npmRows()[c]
	return found.NPMCode, found.step, there
}
