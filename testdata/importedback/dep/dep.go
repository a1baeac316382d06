package dep

import "example.com/cyc/lib"

func F() { lib.G() }
