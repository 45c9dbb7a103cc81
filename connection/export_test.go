package connection

// KnowsNoVariable forgets which variable of the environment was not set.
func (c *Config) KnowsNoVariable() { c.unset = "" }
