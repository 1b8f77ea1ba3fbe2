"""Private servers for the tests, from the machine's own binaries, on free loopback ports; gone with the test run."""
