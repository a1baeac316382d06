package sarif

// URI is uri, for tests.
var URI = uri
