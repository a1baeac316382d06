package lib

func G() {}
