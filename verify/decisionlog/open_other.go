//go:build !unix

package decisionlog

const openFlags = 0

// syncDir does nothing: folders cannot be synced there.
func syncDir(string) error { return nil }
