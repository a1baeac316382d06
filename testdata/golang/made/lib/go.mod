module example.com/Made/lib

go 1.24
