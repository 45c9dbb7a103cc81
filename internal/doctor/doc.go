// Package doctor says what is wrong or risky about a broker, its queues and their use, and what to
// do. [Examine] asks the broker and changes nothing. [Diagnose] decides, and needs no broker.
package doctor
