"""Sums over all tensors: the steps of single tensors run side by side. Exported optimizers carry this function along."""


def together(updates):  # type: ignore[no-untyped-def]
    """Run generators in lockstep: what they yield is added up, and each is sent the sum; returns their results."""
    total = None
    while True:
        parts, results = [], []
        for update in updates:
            try:
                parts.append(update.send(total))
            except StopIteration as done:
                results.append(done.value)
        if not parts:
            return results
        total = sum(parts)
