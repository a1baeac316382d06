package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/sarif"
)

// refusedWhole gives a no about the whole of what was named a document in every format: a
// step that uploads one finds no file otherwise. err is returned as it is.
func (f *npmFlags) refusedWhole(io stdio, target string, err error) error {
	var refused *exitError
	if !errors.As(err, &refused) || refused.code != exitNo || refused.err == nil {
		return err
	}
	var failure error
	switch f.format {
	case "json":
		failure = writeJSON(io.out, npmJSON{
			Schema: npmSchema, Exit: exitNo, Target: target, Clock: f.clock.UTC(), Counts: map[string]int{}, NotMade: map[string]int{}, Registries: map[string]int{}, NotChecked: []string{},
			Denials: []npm.Finding{}, Packages: []npm.Result{}, Waivers: []verify.WaiverInfo{}, Error: refused.Error(),
		})
	case "sarif":
		failure = f.sarifRefused(io.out, target, refused)
	case "markdown":
		_, failure = fmt.Fprintf(io.out, "**DENIED**: %s\n\n- %s\n", markdownCell(target), markdownCell(refused.Error()))
	}
	if failure != nil {
		return failed(fmt.Errorf("writing the report: %w", failure))
	}
	return err
}

func (f *npmFlags) sarifRefused(w io.Writer, target string, err error) error {
	return sarif.Write(w, sarif.Run{
		ToolVersion: version(), InformationURI: "https://plimsoll.example", Rules: npmRules(), ExitCode: exitNo, Successful: true,
		Properties: map[string]any{"exit": exitNo, "clock": f.clock.UTC().Format(time.RFC3339)},
		Results:    []sarif.Result{{RuleID: sarifDenied, Level: sarif.LevelError, Artifact: sarifName(target), Message: err.Error()}},
	})
}
