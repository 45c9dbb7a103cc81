// Package doctor says what is wrong with a broker, its queues and how they are used, or risky, and what to do about it.
// [Examine] asks, and changes nothing; [Diagnose] decides, and needs no broker.
package doctor
