package layout

// For tests.
var (
	GuardPattern = guardPattern
	GuardPath    = guardPath
)
