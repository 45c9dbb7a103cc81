package redis

// Troubles are those of a Redis, for tests from outside.
var Troubles = troubles
