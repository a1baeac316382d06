module example.com/dep

go 1.24

require example.com/cyc v0.0.0
