package control

import (
	"go.uber.org/fx"
)

// Module has the app's consumers obey the orders of a [Fleet].
var Module = fx.Module("bunnicula.control")
