"""Every reading, and what exact arithmetic makes of them."""

import bisect
import collections
import fractions


class Oracle:
    """Readings, and exact windows over them: (at - window, at]."""

    def __init__(self, readings=()):
        self.readings = collections.defaultdict(list)
        self.count = 0
        self.sums = {}
        for entity, at, value in readings:
            self.add(entity, at, value)

    def add(self, entity, at, value):
        self.readings[entity].append((at, value))
        self.count += 1
        self.sums.pop(entity, None)

    def sums_of(self, entity):
        """Sorted times, and the exact sums of values and of magnitudes of all
        readings before each."""
        if entity not in self.sums:
            exact = [
                (at, x if isinstance(x, int) else fractions.Fraction(x))
                for at, x in sorted(self.readings[entity])
            ]
            sums, magnitudes = [0], [0]
            for _, x in exact:
                sums.append(sums[-1] + x)
                magnitudes.append(magnitudes[-1] + abs(x))
            self.sums[entity] = [at for at, _ in exact], sums, magnitudes
        return self.sums[entity]

    def range(self, entity, at, window):
        times = self.sums_of(entity)[0]
        return bisect.bisect_right(times, at - window), bisect.bisect_right(times, at)

    def window(self, entity, at, window):
        """Count and exact sum."""
        low, high = self.range(entity, at, window)
        sums = self.sums_of(entity)[1]
        return high - low, sums[high] - sums[low]

    def magnitude(self, entity, at, window):
        """Exact mean of |x|; the window is not empty."""
        low, high = self.range(entity, at, window)
        magnitudes = self.sums_of(entity)[2]
        return fractions.Fraction(magnitudes[high] - magnitudes[low], high - low)

    def questions(self, widths, instants=7):
        """Of every entity, at instants spread over its readings, before the
        first and after the last."""
        res = []
        for entity in sorted(self.readings):
            times = self.sums_of(entity)[0]
            last = len(times) - 1
            at = {times[i * last // max(instants - 1, 1)] for i in range(instants)}
            at |= {times[0] - 1, times[-1] + min(widths) // 2}
            res += [
                {"entity": entity, "at": t, "window": w}
                for t in sorted(at)
                for w in widths
            ]
        return res
