package errorqueue

const redriverVar = "BUNNICULA_TEST_REDRIVER"

func redriver() int { return 0 }
