"""How long parsed JSON is at least when it is written out, told without writing it out."""


def surely_longer(value: object, limit: int) -> bool:
    """Whether parsed JSON takes more than `limit` characters; looks at no more than `limit` of its values."""
    waiting, length = [value], 0
    while waiting and length <= limit:
        each = waiting.pop()
        length += _least_length(each)
        if length > limit:
            break
        if isinstance(each, dict):
            length += sum(map(len, each))
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return length > limit


def _least_length(value: object) -> int:
    """Of a string, a number or a literal; of an object and a list only the characters around their members."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return 1 + 4 * len(value)
    if isinstance(value, list):
        return 1 + len(value)
    return value.bit_length() // 4 + 1 if isinstance(value, int) else 3
