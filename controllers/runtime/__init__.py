"""A small controller runtime: identities in a queue, four outcomes, informers, a lease, member clusters."""
