package platform

import "golang.org/x/sys/windows"

func init() { names = append(names, windows.ERROR_SUCCESS.Error()) }
