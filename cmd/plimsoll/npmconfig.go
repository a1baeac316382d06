package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"plimsoll.example/verify/npm/registry"
)

// userConfigs reads the user's and the global .npmrc, where npm looks for them. A file
// that is the project's own is nobody else's: its variables would be expanded, and
// tokens sent where it says.
func userConfigs(target *npmTarget) (user, global []byte, err error) {
	file, err := npmFile("userconfig")
	if err != nil {
		return nil, nil, err
	}
	if home, err := os.UserHomeDir(); err == nil && file == "" {
		file = filepath.Join(home, ".npmrc")
	}
	if user, err = notProjects(file, target); err != nil {
		return nil, nil, err
	}
	if file, err = npmFile("globalconfig"); err != nil {
		return nil, nil, err
	}
	prefix, err := npmFile("prefix")
	if err != nil {
		return nil, nil, err
	}
	if command := findNPM(); prefix == "" && command != "" {
		prefix = filepath.Dir(filepath.Dir(command))
	}
	if file == "" && prefix != "" {
		file = filepath.Join(prefix, "etc", "npmrc")
	}
	global, err = notProjects(file, target)
	return user, global, err
}

// notProjects reads a file of the operator's configuration, if it is there.
func notProjects(file string, target *npmTarget) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return optional(file)
	}
	for _, dir := range projectFolders(target) {
		if projects, err := os.Stat(filepath.Join(dir, ".npmrc")); err == nil && os.SameFile(info, projects) {
			return nil, usagef("npm: %q is the project's own .npmrc, and is not read as the user's or the global one", file).
				withHint("set HOME, or npm_config_userconfig and npm_config_globalconfig, to what is not part of the project")
		}
	}
	return optional(file)
}

// projectFolders are the folder that is checked and those above it in its repository. A
// single package is of no project, unless it is named in one.
func projectFolders(target *npmTarget) []string {
	dir, err := filepath.Abs(target.dir)
	if err != nil {
		return []string{target.dir}
	}
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil && target.single {
		return nil
	}
	all := []string{dir}
	for at := dir; ; at = filepath.Dir(at) {
		if at != dir {
			all = append(all, at)
		}
		if _, err := os.Stat(filepath.Join(at, ".git")); err == nil {
			return all
		}
		if at == filepath.Dir(at) {
			return []string{dir} // in no repository
		}
	}
}

// npmFile is a file or folder that npm's settings in the environment name; "" if none.
func npmFile(name string) (string, error) {
	value := npmSetting(name)
	if value == "" {
		return "", nil
	}
	return operatorsFile(name, value)
}

// operatorsFile is a file that npm's configuration names: ~/ is the user's home. npm
// would look for another in the working folder, which is often the project's.
func operatorsFile(name, value string) (string, error) {
	rest, isHome := strings.CutPrefix(filepath.ToSlash(value), "~/")
	if isHome {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", usagef("npm: %s of npm's configuration: %w", name, err)
		}
		value = filepath.Join(home, filepath.FromSlash(rest))
	}
	if !filepath.IsAbs(value) {
		return "", usagef("npm: %s of npm's configuration: expected an absolute path, or one that begins with ~/, found %q", name, value)
	}
	return value, nil
}

// inScript tells whether a package manager runs this as a script of a project.
func inScript() bool {
	return registry.InScript(os.Getenv("npm_execpath"), os.Getenv("npm_lifecycle_event"))
}

// npmSetting returns a setting of npm in the environment, if that is the user's.
func npmSetting(name string) string {
	if inScript() {
		return ""
	}
	for _, entry := range os.Environ() {
		key, value, _ := strings.Cut(entry, "=")
		if strings.EqualFold(key, "npm_config_"+name) {
			return value
		}
	}
	return ""
}

// optional reads a file that need not be there.
func optional(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	data, err := readBounded(file, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, usagef("npm: reading npm's configuration: %w", err)
	}
	return data, nil
}

// askNPM asks npm for the registry in an empty folder, where no project can answer:
// npm goes up to the next package.json, so the folder has one, and a script's
// environment is the project's answer. It does not look for a newer npm meanwhile.
func askNPM(ctx context.Context) string {
	npmCommand := findNPM()
	if npmCommand == "" {
		return ""
	}
	dir, err := os.MkdirTemp("", "plimsoll-npm-")
	if err != nil {
		return ""
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{}\n"), 0o600); err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, npmCommand, "config", "get", "registry", "--location=global", "--update-notifier=false")
	command.Dir = dir
	command.Env = operatorsEnvironment(dir)
	command.WaitDelay = time.Second // what npm started may keep its output open
	out, err := command.Output()
	answer := strings.TrimSpace(string(out))
	if err != nil || !strings.HasPrefix(answer, "http") || strings.ContainsAny(answer, " \n") {
		return ""
	}
	return answer
}

// operatorsEnvironment is the environment without what a project puts into it.
func operatorsEnvironment(dir string) []string {
	environ := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		// A setting is taken in any case; NPM_TOKEN is the operator's.
		scripts := strings.HasPrefix(name, "npm_") || strings.HasPrefix(strings.ToLower(name), "npm_config_") || strings.EqualFold(name, "NODE_OPTIONS")
		return strings.EqualFold(name, "PATH") || name == "PWD" || scripts && inScript()
	})
	return append(environ, "PWD="+dir, "PATH="+strings.Join(operatorsPath(), string(filepath.ListSeparator)))
}

// operatorsPath are the folders of PATH without those of a project's dependencies,
// which package managers put before all others.
func operatorsPath() []string {
	berry := os.Getenv("BERRY_BIN_FOLDER")
	return slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool {
		return !filepath.IsAbs(dir) || (berry != "" && filepath.Clean(dir) == filepath.Clean(berry)) ||
			slices.Contains(strings.Split(filepath.ToSlash(dir), "/"), "node_modules")
	})
}

// findNPM returns the operator's npm; "" if there is none.
func findNPM() string {
	for _, dir := range operatorsPath() {
		if file, err := exec.LookPath(filepath.Join(dir, "npm")); err == nil {
			return file
		}
	}
	return ""
}
