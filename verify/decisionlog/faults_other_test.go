//go:build !unix

package decisionlog

func limitFiles(string) {}
