"""One module a part: `packages(work)` yields what belongs into the channel."""
