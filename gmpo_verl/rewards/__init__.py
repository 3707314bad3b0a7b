"""The math reward: find the answer of a response, compare it, in a process that can be killed."""
