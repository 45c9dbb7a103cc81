package transport

// Stand makes what stands behind the connections of an fx app in a test. connection.Named asks the
// app for one, and has it make a Connection in the place of its Config's.
type Stand func(name string) Connection
