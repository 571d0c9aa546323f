"""The parts of one account's history: amounts in a currency, times of day, and what was first seen when."""

from bisect import bisect_left, insort

from shared.domain.history import WINDOWS, HourTotals, log_amount

Key = tuple[int, str]
Totals = tuple[int, int, int, int]

NOTHING: Totals = (0, 0, 0, 0)


def plus(a: Totals, b: Totals) -> Totals:
    """The sum of two totals."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


def minus(a: Totals, b: Totals) -> Totals:
    """What is left of the first without the second."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]


class DaySums:
    """Totals of one account by UTC day, and their sum over the days that a window of `width` days still covers.

    Days are mostly asked for in turn, so the sum is moved along: what enters is added, what leaves is taken off.
    """

    __slots__ = ("_first", "_last", "_sum", "_width", "days")

    def __init__(self, days: dict[int, Totals], width: int) -> None:
        self.days = days
        self._width = width
        self._first = self._last = 0
        self._sum = NOTHING

    def before(self, day: int, oldest: int) -> Totals:
        """The sum over the whole days before `day`, as far as the window reaches and none before `oldest`."""
        first = max(day - self._width + 1, oldest)
        if not self._first <= first < self._last <= day:
            self._first = self._last = first
            self._sum = NOTHING
        for each in range(self._first, first):
            if totals := self.days.get(each):
                self._sum = minus(self._sum, totals)
        for each in range(self._last, day):
            if totals := self.days.get(each):
                self._sum = plus(self._sum, totals)
        self._first, self._last = first, day
        return self._sum

    def added(self, day: int, own: Totals) -> None:
        """An event came to this day."""
        if self._first <= day < self._last:
            self._sum = plus(self._sum, own)

    def start_anew(self) -> None:
        """Days were forgotten."""
        self._first = self._last = 0


class Amounts:
    """One account's amounts in one currency: totals per UTC day, and of each single event the day so far."""

    __slots__ = ("_month", "_so_far", "_week", "days", "keys", "owns")

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.owns: list[Totals] = []
        self.days: dict[int, Totals] = {}
        self._week = DaySums(self.days, WINDOWS.week_days)
        self._month = DaySums(self.days, WINDOWS.month_days)
        self._so_far: list[Totals] | None = []

    def add(self, key: Key, amount: int) -> None:
        """Add an event's amount in minor units; every later event of its day has it before it."""
        log = log_amount(amount)
        own, day = (1, amount, log, log * log), key[0] // WINDOWS.day
        whole = self.days.get(day, NOTHING)
        rank = bisect_left(self.keys, key)
        if rank < len(self.keys):
            self._so_far = None
        elif self._so_far is not None:
            self._so_far.append(whole)
        self.keys.insert(rank, key)
        self.owns.insert(rank, own)
        self.days[day] = plus(whole, own)
        self._week.added(day, own)
        self._month.added(day, own)

    @property
    def so_far(self) -> list[Totals]:
        """Of each key the totals of its day before it.

        Made anew only when asked for after an event came out of order, so that many of them stay cheap to load.
        """
        if self._so_far is None:
            self._so_far = self._totals_before_each()
        return self._so_far

    def _totals_before_each(self) -> list[Totals]:
        """Backwards from each day's end, since events that are no longer kept count too."""
        before: list[Totals] = []
        left = dict(self.days)
        for (at, _), own in zip(reversed(self.keys), reversed(self.owns), strict=True):
            day = at // WINDOWS.day
            left[day] = minus(left.get(day, NOTHING), own)
            before.append(left[day])
        before.reverse()
        return before

    def before(self, key: Key) -> tuple[int, Totals]:
        """The amount of the 24 hours before `key`, and the totals of its UTC day up to it."""
        today = self.so_far[bisect_left(self.keys, key)]
        first = bisect_left(self.keys, (key[0] - WINDOWS.day + 1,))
        begun = self.keys[first][0] // WINDOWS.day
        yesterday = self.days[begun][1] if begun < key[0] // WINDOWS.day else 0
        return today[1] + yesterday - self.so_far[first][1], today

    def whole_days(self, day: int, oldest: int) -> tuple[Totals, Totals]:
        """Totals of the days before `day` that week and month cover, none before `oldest`."""
        return self._week.before(day, oldest), self._month.before(day, oldest)

    def forget_days(self, oldest: int) -> None:
        """Drop totals of days before `oldest`, now and then."""
        if _forget(self.days, oldest):
            self._week.start_anew()
            self._month.start_anew()

    def forget_first(self) -> None:
        """Drop the oldest single event; its day's totals stay."""
        del self.keys[0], self.owns[0]
        if self._so_far is not None:
            del self._so_far[0]


class Hours:
    """One account's times of day: how many transactions, and the sums of their clock hands, per UTC day.

    `days` has the form of Totals, whose last number stays 0.
    """

    __slots__ = ("_month", "days")

    def __init__(self) -> None:
        self.days: dict[int, Totals] = {}
        self._month = DaySums(self.days, WINDOWS.month_days)

    def add(self, day: int, hand: tuple[int, int]) -> None:
        """Add an event's clock hand."""
        own = 1, *hand, 0
        self.days[day] = plus(self.days.get(day, NOTHING), own)
        self._month.added(day, own)

    def whole_days(self, day: int, oldest: int) -> HourTotals:
        """Totals of the days before `day` that the month covers, none before `oldest`."""
        count, cosines, sines, _ = self._month.before(day, oldest)
        return HourTotals(count, cosines, sines)

    def forget_days(self, oldest: int) -> None:
        """Drop totals of days before `oldest`, now and then."""
        if _forget(self.days, oldest):
            self._month.start_anew()


def _forget(days: dict[int, Totals], oldest: int) -> bool:
    """Whether there were so many that those before `oldest` were dropped."""
    if len(days) <= 2 * WINDOWS.kept_days:
        return False
    for day in [each for each in days if each < oldest]:
        del days[day]
    return True


class FirstSeen:
    """When each merchant, or category, was first seen, for at most `most` of them."""

    __slots__ = ("first", "most", "ordered")

    def __init__(self, most: int) -> None:
        self.first: dict[str, int] = {}
        self.most = most
        self.ordered: list[int] = []

    def see(self, name: str, at: int) -> None:
        """Note that the account was there then."""
        known = self.first.get(name)
        if known is None:
            if len(self.ordered) >= self.most:
                return
        elif known <= at:
            return
        else:
            del self.ordered[bisect_left(self.ordered, known)]
        self.first[name] = at
        insort(self.ordered, at)

    def knows(self, name: str, at: int) -> bool:
        """Whether it was seen before `at`."""
        return self.first.get(name, at) < at

    def before(self, at: int) -> int:
        """How many were seen before `at`."""
        return bisect_left(self.ordered, at)
